using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace EfScaling.Routing;

/// <summary>Refuses transactions while a snapshot is open.</summary>
internal sealed class SnapshotTransactionInterceptor : DbTransactionInterceptor
{
    /// <inheritdoc />
    public override InterceptionResult<DbTransaction> TransactionStarting(DbConnection connection, TransactionStartingEventData eventData, InterceptionResult<DbTransaction> result)
    {
        eventData.Context?.GetService<ReadRouter>().RefuseInSnapshot("A transaction begins");
        return result;
    }

    /// <inheritdoc />
    public override ValueTask<InterceptionResult<DbTransaction>> TransactionStartingAsync(
        DbConnection connection, TransactionStartingEventData eventData, InterceptionResult<DbTransaction> result, CancellationToken cancellationToken = default)
    {
        eventData.Context?.GetService<ReadRouter>().RefuseInSnapshot("A transaction begins");
        return new(result);
    }
}
