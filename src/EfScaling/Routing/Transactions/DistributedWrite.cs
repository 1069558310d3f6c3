using System.Data;
using System.Data.Common;
using System.Globalization;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace EfScaling.Routing.Transactions;

/// <summary>Writes on several shards in one transaction: a transaction on each, which are committed together.</summary>
/// <param name="shards">The shards of the context.</param>
/// <param name="routers">The routers of the shards that take part, by their names.</param>
/// <param name="writesCopies">Whether rows of reference tables are written, of which every shard has a copy.</param>
/// <remarks>
/// <para>
/// All writers go from shard to shard in the same order, so that of two the second waits on the first shard that both write to. Where the rows make them wait crosswise, the lock timeout ends it.
/// </para>
/// <para>
/// Writers of reference tables wait for each other altogether: the copies see their writes in the same order and end up the same. Where servers keep no prepared transactions their commits are one
/// after the other. Anything that fails before the commit is rolled back everywhere. Not thread-safe.
/// </para>
/// </remarks>
internal sealed class DistributedWrite(ContextShards shards, IReadOnlyList<ReadRouter> routers, bool writesCopies)
{
    // Locks on rows are not enough: a row that is added by one writer may be seen by the conditions of the other on one shard and not on the next.
    private const string LockCopies = "SELECT pg_advisory_xact_lock(hashtextextended('efscaling.reference_tables', 0))";

    private bool _canPrepare = true;
    private bool _canDecide = true;

    /// <summary>Gets the routers of the shards that take part, in the order in which they are written.</summary>
    public IReadOnlyList<ReadRouter> Routers => routers;

    /// <summary>Writes the same on each shard.</summary>
    /// <param name="write">Writes on one shard, inside the transaction that is open on its router's connection, and returns how many rows it wrote.</param>
    /// <returns>How many rows were written on all shards; of copies, in each.</returns>
    /// <exception cref="PartialCommitException">It is committed on some shards, or may be, and not on others.</exception>
    /// <exception cref="InvalidOperationException">The copies differ.</exception>
    public int Run(Func<ReadRouter, int> write) => Run(() =>
    {
        var written = new int[routers.Count];
        for (var i = 0; i < written.Length; i++)
        {
            written[i] = write(routers[i]);
        }

        return SumOf(written);
    });

    /// <inheritdoc cref="Run(Func{ReadRouter, int})" />
    public Task<int> RunAsync(Func<ReadRouter, Task<int>> write, CancellationToken cancellationToken) => RunAsync(
        async () =>
        {
            var written = new int[routers.Count];
            for (var i = 0; i < written.Length; i++)
            {
                written[i] = await write(routers[i]).ConfigureAwait(false);
            }

            return SumOf(written);
        },
        cancellationToken);

    /// <summary>Runs what writes on the shards.</summary>
    /// <param name="write">Writes on any of them, inside the transaction that is open on its router's connection.</param>
    /// <exception cref="PartialCommitException">It is committed on some shards, or may be, and not on others.</exception>
    public T Run<T>(Func<T> write) => Synchrony.Result(RunAsync(() => new ValueTask<T>(write()), async: false, CancellationToken.None));

    /// <inheritdoc cref="Run{T}(Func{T})" />
    public Task<T> RunAsync<T>(Func<Task<T>> write, CancellationToken cancellationToken) =>
        RunAsync(() => new ValueTask<T>(write()), async: true, cancellationToken).AsTask();

    private async ValueTask<T> RunAsync<T>(Func<ValueTask<T>> write, bool async, CancellationToken cancellationToken)
    {
        var open = new List<Participant>(routers.Count);
        try
        {
            await BeginAsync(open, async, cancellationToken).ConfigureAwait(false);
            var result = await write().ConfigureAwait(false);
            if (shards.Database.Options.CommitProtocol == CommitProtocol.BestEffort || (writesCopies && !(_canPrepare && _canDecide)))
            {
                await OrderedCommit.RunAsync(open, async, cancellationToken).ConfigureAwait(false);
            }
            else
            {
                await new DistributedCommit(shards, open).RunAsync(async, cancellationToken).ConfigureAwait(false);
            }

            return result;
        }
        catch (Exception exception) when (IsLockTimeout(exception))
        {
            // What holds the lock may have been left by a writer that is gone.
            shards.Recovery.Request();
            throw;
        }
        finally
        {
            foreach (var participant in open)
            {
                await DisposeAsync(participant.Transaction, async).ConfigureAwait(false);
            }
        }
    }

    private async ValueTask BeginAsync(List<Participant> open, bool async, CancellationToken cancellationToken)
    {
        // Whoever has waited for other writers of reference tables must see what they have written, which a transaction of one snapshot would not.
        var isolation = writesCopies ? IsolationLevel.ReadCommitted : IsolationLevel.Unspecified;
        foreach (var router in routers)
        {
            var transaction = async
                ? await router.Connection.BeginTransactionAsync(isolation, cancellationToken).ConfigureAwait(false)
                : router.Connection.BeginTransaction(isolation);
            open.Add(new Participant(shards, (PositionedTransaction)transaction));
            if (writesCopies)
            {
                await PrepareShardAsync(router, async, cancellationToken).ConfigureAwait(false);
            }
        }

        if (!writesCopies && (await Synchrony.ForEachAsync(routers, r => PrepareShardAsync(r, async, cancellationToken), async).ConfigureAwait(false)) is [{ } failure, ..])
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failure);
        }

        if (!writesCopies && shards.Database.Options.CommitProtocol == CommitProtocol.TwoPhase)
        {
            Require();
        }
    }

    // In one round trip, with the BEGIN that the driver has kept back.
    private async ValueTask PrepareShardAsync(ReadRouter router, bool async, CancellationToken cancellationToken)
    {
        using var batch = new NpgsqlBatch((NpgsqlConnection)router.Connection.DbConnection)
        {
            BatchCommands = { new NpgsqlBatchCommand(DecisionSql.Begin) { Parameters = { new NpgsqlParameter<string> { TypedValue = LockTimeout() } } } },
        };
        if (writesCopies)
        {
            batch.BatchCommands.Add(new NpgsqlBatchCommand(LockCopies));
        }

        try
        {
            using var reader = async ? await batch.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false) : batch.ExecuteReader();
            _ = async ? await reader.ReadAsync(cancellationToken).ConfigureAwait(false) : reader.Read();
            var (canPrepare, canDecide) = (reader.GetBoolean(0), reader.GetBoolean(1));
            if (writesCopies)
            {
                _ = async ? await reader.NextResultAsync(cancellationToken).ConfigureAwait(false) : reader.NextResult();
            }

            if (!canPrepare)
            {
                _canPrepare = false;
            }

            if (!canDecide)
            {
                _canDecide = false;
            }
        }
        catch (NpgsqlException failure) when (ShardConnectionException.Of(router.ShardName, failure) is { } named)
        {
            throw named;
        }
    }

    private void Require()
    {
        if (!_canPrepare)
        {
            throw new InvalidOperationException(
                $"A transaction over the shards {Names} was begun, and one of their servers keeps no prepared transactions, without which it cannot be committed on all of them or none. Set max_prepared_transactions to at least max_connections there and restart it; "
                + "or call CommitAcrossShards(CommitProtocol.BestEffort) in UseSharding, which may leave a write on some shards only.");
        }

        if (!_canDecide)
        {
            throw new InvalidOperationException(
                $"A transaction over the shards {Names} was begun, and one of them has no table efscaling.decision that this role may write. Grant USAGE on the schema and SELECT, INSERT, DELETE on the table; or make it by MigrateAsync() or EnsureCreatedAsync() on a context that spans all shards, or Database.EnsureShardTransactionsCreatedAsync().");
        }
    }

    private string Names => string.Join(", ", routers.Select(r => $"'{r.ShardName}'"));

    // Of two that wait for each other, one must give way first.
    private string LockTimeout() =>
        (shards.Database.Options.LockTimeout.TotalMilliseconds * (1 + (Random.Shared.NextDouble() / 5))).ToString("0", CultureInfo.InvariantCulture);

    private static bool IsLockTimeout(Exception exception) =>
        exception is PostgresException { SqlState: PostgresErrorCodes.LockNotAvailable } or DbUpdateException { InnerException: PostgresException { SqlState: PostgresErrorCodes.LockNotAvailable } };

    private static async ValueTask DisposeAsync(PositionedTransaction transaction, bool async)
    {
        try
        {
            if (async)
            {
                await transaction.DisposeAsync().ConfigureAwait(false);
            }
            else
            {
                transaction.Dispose();
            }
        }
        catch (DbException)
        {
            // The connection is lost, and the server has rolled back.
        }
    }

    private int SumOf(int[] written)
    {
        if (!writesCopies)
        {
            return written.Sum();
        }

        return Array.FindIndex(written, w => w != written[0]) is > 0 and var other
            ? throw new InvalidOperationException(
                $"A write of a reference table found {written[0]} rows on the shard '{routers[0].ShardName}' and {written[other]} on '{routers[other].ShardName}': the copies differ, and nothing was written. Bring them into line by ExecuteUpdateAsync or ExecuteSqlAsync on a context of each shard: CreateDbContextOnShard(name).")
            : written[0];
    }
}
