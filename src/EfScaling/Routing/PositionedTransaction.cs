using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Routing;

/// <summary>A transaction that tells the context's session when EF itself closes the connection after a commit: nothing can have been written in between.</summary>
internal sealed class PositionedTransaction(
    IRelationalConnection connection,
    DbTransaction transaction,
    Guid transactionId,
    IDiagnosticsLogger<DbLoggerCategory.Database.Transaction> logger,
    bool transactionOwned,
    ISqlGenerationHelper sqlGenerationHelper) : RelationalTransaction(connection, transaction, transactionId, logger, transactionOwned, sqlGenerationHelper)
{
    // Found while the context is alive: a transaction that is still open is cleared when the context is disposed.
    private readonly ContextSession _session = connection.Context.GetService<ReadRouter>().Session;

    /// <inheritdoc />
    protected override void ClearTransaction()
    {
        _session.BeginClear();
        try
        {
            base.ClearTransaction();
        }
        finally
        {
            _session.EndClear();
        }
    }

    /// <inheritdoc />
    protected override async Task ClearTransactionAsync(CancellationToken cancellationToken = default)
    {
        _session.BeginClear();
        try
        {
            await base.ClearTransactionAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _session.EndClear();
        }
    }
}
