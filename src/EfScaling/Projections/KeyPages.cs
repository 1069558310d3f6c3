using Microsoft.EntityFrameworkCore;

namespace EfScaling.Projections;

/// <summary>Walks through all keys that a table holds, page by page in the order of the keys.</summary>
internal abstract class KeyPages
{
    /// <summary>Returns the next keys as text; empty behind the last.</summary>
    public abstract Task<IReadOnlyList<string>> NextAsync(DbContext context, int size, CancellationToken cancellationToken);
}
