using Npgsql;

namespace EfScaling.Routing.Transactions;

/// <summary>The decisions that a shard has about transactions over several shards.</summary>
/// <param name="source">Leads to the present primary of the shard.</param>
/// <remarks>Thread-safe.</remarks>
internal sealed class DecisionRegister(NpgsqlDataSource source)
{
    /// <summary>In seconds, how long one command of those who settle may take: without a limit, as applications may have set it, one server that hangs would hold up all else.</summary>
    public const int CommandTimeout = 10;

    /// <summary>Asks what became of a transaction, and decides for abort if nothing has.</summary>
    /// <param name="id">The transaction.</param>
    /// <param name="async">Whether to wait asynchronously.</param>
    /// <param name="cancellationToken">Ends the wait; then it may be decided all the same.</param>
    /// <returns><see langword="true"/> for commit. Whoever asks later is told the same.</returns>
    /// <remarks>Waits for a writer that is about to commit its decision.</remarks>
    public async ValueTask<bool> SettleAsync(Guid id, bool async, CancellationToken cancellationToken)
    {
        var connection = async ? await source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false) : source.OpenConnection();
        try
        {
            // The question needs a snapshot of its own, behind the wait.
            using var batch = new NpgsqlBatch(connection)
            {
                EnableErrorBarriers = true,
                Timeout = CommandTimeout,
                BatchCommands =
                {
                    new NpgsqlBatchCommand(DecisionSql.Abort) { Parameters = { new NpgsqlParameter<Guid> { TypedValue = id } } },
                    new NpgsqlBatchCommand(DecisionSql.Ask) { Parameters = { new NpgsqlParameter<Guid> { TypedValue = id } } },
                },
            };
            return (async ? await batch.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) : batch.ExecuteScalar()) is true;
        }
        finally
        {
            await Synchrony.DisposeAsync(connection, async).ConfigureAwait(false);
        }
    }
}
