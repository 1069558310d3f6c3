using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace EfScaling.Benchmarks.Servers;

/// <summary>Counts the queries that really run in a database.</summary>
/// <remarks>Thread-safe.</remarks>
internal sealed class CommandCount : DbCommandInterceptor
{
    private int _count;

    /// <summary>Returns the number, and begins anew.</summary>
    public int Take() => Interlocked.Exchange(ref _count, 0);

    /// <inheritdoc />
    public override InterceptionResult<DbDataReader> ReaderExecuting(DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result)
    {
        Interlocked.Increment(ref _count);
        return result;
    }

    /// <inheritdoc />
    public override ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result, CancellationToken cancellationToken = default)
    {
        Interlocked.Increment(ref _count);
        return new(result);
    }
}
