using System.Data;
using System.Data.Common;
using System.Runtime.ExceptionServices;
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
/// <param name="writesOthers">Whether rows of other tables are.</param>
/// <param name="around">The transaction of the application that the write is part of, which commits it; <see langword="null"/> if it commits by itself.</param>
/// <remarks>
/// <para>
/// All writers go from shard to shard in the same order, so that of two the second waits on the first shard that both write to. Where the rows make them wait crosswise, the lock timeout ends it.
/// </para>
/// <para>
/// Writers of reference tables wait for each other altogether: the copies see their writes in the same order and end up the same. Where servers keep no prepared transactions their commits are one
/// after the other. Anything that fails before the commit is rolled back everywhere. Not thread-safe.
/// </para>
/// </remarks>
internal sealed class DistributedWrite(ContextShards shards, IReadOnlyList<ReadRouter> routers, bool writesCopies, bool writesOthers, SpanningTransaction? around)
{
    private const string Savepoint = "efscaling_write";

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

    /// <summary>Commits transactions of shards, each of which has written.</summary>
    /// <param name="shards">The shards of the context.</param>
    /// <param name="open">The open transactions, by the names of their shards.</param>
    /// <param name="async">Whether to wait asynchronously.</param>
    /// <param name="cancellationToken">Ends the wait, before the commit.</param>
    public static ValueTask CommitAsync(ContextShards shards, IReadOnlyList<Participant> open, bool async, CancellationToken cancellationToken) =>
        open.Count < 2 || shards.Database.Options.CommitProtocol == CommitProtocol.BestEffort || !open.All(p => p.CanPrepare && p.CanDecide)
            ? OrderedCommit.RunAsync(open, async, cancellationToken)
            : new DistributedCommit(shards, open).RunAsync(async, cancellationToken);

    /// <summary>Refuses shards that cannot commit together in two phases.</summary>
    /// <exception cref="InvalidOperationException">One of them cannot.</exception>
    public static void Require(IReadOnlyList<Participant> open)
    {
        var names = string.Join(", ", open.Select(p => $"'{p.Shard}'"));
        if (open.FirstOrDefault(p => !p.CanPrepare) is { } unprepared)
        {
            throw new InvalidOperationException(
                $"A transaction over the shards {names} was to write, and the server of '{unprepared.Shard}' keeps no prepared transactions, without which it cannot be committed on all of them or none. Set max_prepared_transactions to at least max_connections there and restart it; "
                + "or call CommitAcrossShards(CommitProtocol.BestEffort) in UseSharding, which may leave a write on some shards only.");
        }

        if (open.FirstOrDefault(p => !p.CanDecide) is { } undecided)
        {
            throw new InvalidOperationException(
                $"A transaction over the shards {names} was to write, and '{undecided.Shard}' has no table efscaling.decision that this role may write. Grant USAGE on the schema and SELECT, INSERT, DELETE on the table; or make it by MigrateAsync() or EnsureCreatedAsync() on a context that spans all shards, or Database.EnsureShardTransactionsCreatedAsync().");
        }
    }

    private async ValueTask<T> RunAsync<T>(Func<ValueTask<T>> write, bool async, CancellationToken cancellationToken)
    {
        try
        {
            return around is null
                ? await RunAloneAsync(write, async, cancellationToken).ConfigureAwait(false)
                : await RunWithinAsync(around, write, async, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (IsLockTimeout(exception))
        {
            // What holds the lock may have been left by a writer that is gone.
            shards.Recovery.Request();
            throw;
        }
    }

    private async ValueTask<T> RunAloneAsync<T>(Func<ValueTask<T>> write, bool async, CancellationToken cancellationToken)
    {
        var open = new List<Participant>(routers.Count);
        shards.IsWriting = true;
        try
        {
            await BeginAsync(open, async, cancellationToken).ConfigureAwait(false);
            var result = await write().ConfigureAwait(false);
            await CommitAsync(shards, open, async, cancellationToken).ConfigureAwait(false);
            return result;
        }
        finally
        {
            try
            {
                await Synchrony.DisposeAllAsync(open, async).ConfigureAwait(false);
            }
            finally
            {
                shards.IsWriting = false;
            }
        }
    }

    // What fails is taken back on all shards, so that the application may go on with its transaction.
    private async ValueTask<T> RunWithinAsync<T>(SpanningTransaction transaction, Func<ValueTask<T>> write, bool async, CancellationToken cancellationToken)
    {
        foreach (var other in routers.Select(r => r.Connection).OfType<ShardConnection>())
        {
            await other.JoinAsync(async, cancellationToken).ConfigureAwait(false);
        }

        if (writesCopies)
        {
            await transaction.LockCopiesAsync(async, cancellationToken).ConfigureAwait(false);
        }

        if (async)
        {
            await transaction.Home.CreateSavepointAsync(Savepoint, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            transaction.Home.CreateSavepoint(Savepoint);
        }

        T result;
        try
        {
            result = await write().ConfigureAwait(false);
        }
        catch
        {
            try
            {
                if (async)
                {
                    await transaction.Home.RollbackToSavepointAsync(Savepoint, CancellationToken.None).ConfigureAwait(false);
                }
                else
                {
                    transaction.Home.RollbackToSavepoint(Savepoint);
                }
            }
            catch (Exception lost) when (lost is DbException or InvalidOperationException)
            {
                // A connection is lost, and the transaction with it. The first failure is to be told.
                transaction.Lose();
            }

            throw;
        }

        // It is written: whoever is told of a failure would take it for undone.
        if (async)
        {
            await transaction.Home.ReleaseSavepointAsync(Savepoint, CancellationToken.None).ConfigureAwait(false);
        }
        else
        {
            transaction.Home.ReleaseSavepoint(Savepoint);
        }

        return result;
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
            var participant = new Participant(shards, (PositionedTransaction)transaction);
            open.Add(participant);
            if (writesCopies)
            {
                await participant.SetUpAsync(locksCopies: true, async, cancellationToken).ConfigureAwait(false);
            }
        }

        if (!writesCopies
            && await Synchrony.ForEachAsync(open, p => p.SetUpAsync(locksCopies: false, async, cancellationToken), async).ConfigureAwait(false) is [var failure, ..])
        {
            ExceptionDispatchInfo.Throw(failure);
        }

        if (writesOthers && open.Count > 1 && shards.Database.Options.CommitProtocol == CommitProtocol.TwoPhase)
        {
            Require(open);
        }
    }

    private static bool IsLockTimeout(Exception exception) =>
        exception is PostgresException { SqlState: PostgresErrorCodes.LockNotAvailable } or DbUpdateException { InnerException: PostgresException { SqlState: PostgresErrorCodes.LockNotAvailable } };

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
