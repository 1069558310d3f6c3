using Microsoft.EntityFrameworkCore;

namespace EfScaling.Testing.History;

/// <summary>An application, or one process of it, as a history sees it.</summary>
/// <param name="CreateContext">
/// Makes a context with read replicas whose model has <see cref="HistoryRegister"/>. Each call returns another one, which the run disposes; called by several
/// threads at the same time.
/// </param>
/// <remarks>Applications whose replica settings differ have connections and monitors of their own, as two processes have.</remarks>
public sealed record HistoryApplication(Func<DbContext> CreateContext)
{
    /// <summary>Gets the limit of the application's settings; 5 seconds by default, as that of <c>MaxStaleness</c>.</summary>
    public TimeSpan MaxStaleness { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Gets the number of the query cache that its contexts share: another one for each application that has a cache of its own, as processes have.</summary>
    public int Cache { get; init; }

    /// <summary>Gets whether the reads are marked <c>Cacheable()</c>; not by default.</summary>
    public bool CachesReads { get; init; }
}
