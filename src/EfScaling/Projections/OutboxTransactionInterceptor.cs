using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace EfScaling.Projections;

/// <summary>Wakes the dispatchers of this process when a transaction that wrote to the outbox is committed.</summary>
internal sealed class OutboxTransactionInterceptor : DbTransactionInterceptor
{
    /// <inheritdoc />
    public override void TransactionCommitted(DbTransaction transaction, TransactionEndEventData eventData) => eventData.Context?.GetService<OutboxSession>().Announce();

    /// <inheritdoc />
    public override Task TransactionCommittedAsync(DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken = default)
    {
        eventData.Context?.GetService<OutboxSession>().Announce();
        return Task.CompletedTask;
    }
}
