namespace EfScaling.Testing.History;

/// <summary>How late a result from a query cache may show what other processes wrote. What the same process wrote it shows at once.</summary>
/// <param name="Report">
/// How long a result in the memory of a process may lack a write that the store was told of: as long as the connection that reports may be silent, and what
/// a report takes. A result from the store itself lacks none.
/// </param>
/// <param name="Publication">
/// How long a write that the store could not be told of at once may stay unknown to it when nothing keeps its process from telling it any more.
/// </param>
public sealed record CacheLimits(TimeSpan Report, TimeSpan Publication);
