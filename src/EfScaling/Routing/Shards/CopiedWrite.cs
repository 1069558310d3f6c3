using System.Data;
using System.Data.Common;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Routing.Shards;

/// <summary>Runs one write of reference tables on every shard, in a transaction on each, and commits them all when it is done everywhere.</summary>
/// <param name="shards">The routers of all shards, the default one first.</param>
/// <remarks>
/// Of two writers the second waits on the first shard until the first writer is done there, and so on each: the copies see them in the same order and end up the same.
/// A write that fails anywhere before the first commit is rolled back everywhere.
/// </remarks>
internal sealed class CopiedWrite(IReadOnlyList<ReadRouter> shards)
{
    // Locks on rows are not enough: a row that is added by one writer may be seen by the conditions of the other on one shard and not on the next.
    private const string Lock = "SELECT pg_advisory_xact_lock(hashtextextended('efscaling.reference_tables', 0))";

    /// <summary>Writes.</summary>
    /// <param name="write">Writes on one shard, inside the transaction that is open on its router's connection, and returns how many rows it wrote.</param>
    /// <returns>How many rows were written in each copy.</returns>
    /// <exception cref="PartialCommitException">It is committed on some shards, or may be, and not on others.</exception>
    /// <exception cref="InvalidOperationException">The copies differ.</exception>
    public int Run(Func<ReadRouter, int> write)
    {
        var open = new List<(string Shard, IDbContextTransaction Transaction)>(shards.Count);
        try
        {
            var written = new int[shards.Count];
            for (var i = 0; i < shards.Count; i++)
            {
                // Whoever has waited must see what the other has written, which a transaction of one snapshot would not.
                open.Add((shards[i].ShardName!, shards[i].Connection.BeginTransaction(IsolationLevel.ReadCommitted)));
                using (var command = LockOn(open[i].Transaction))
                {
                    command.ExecuteNonQuery();
                }

                written[i] = write(shards[i]);
            }

            RefuseDifference(written);
            OrderedCommit.Run(open);
            return written[0];
        }
        finally
        {
            foreach (var (_, transaction) in open)
            {
                try
                {
                    transaction.Dispose();
                }
                catch (DbException)
                {
                    // The connection is lost, and the server has rolled back.
                }
            }
        }
    }

    /// <inheritdoc cref="Run" />
    public async Task<int> RunAsync(Func<ReadRouter, Task<int>> write, CancellationToken cancellationToken)
    {
        var open = new List<(string Shard, IDbContextTransaction Transaction)>(shards.Count);
        try
        {
            var written = new int[shards.Count];
            for (var i = 0; i < shards.Count; i++)
            {
                open.Add((shards[i].ShardName!, await shards[i].Connection.BeginTransactionAsync(IsolationLevel.ReadCommitted, cancellationToken).ConfigureAwait(false)));
                var command = LockOn(open[i].Transaction);
                await using (command.ConfigureAwait(false))
                {
                    await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
                }

                written[i] = await write(shards[i]).ConfigureAwait(false);
            }

            RefuseDifference(written);
            await OrderedCommit.RunAsync(open, cancellationToken).ConfigureAwait(false);
            return written[0];
        }
        finally
        {
            foreach (var (_, transaction) in open)
            {
                try
                {
                    await transaction.DisposeAsync().ConfigureAwait(false);
                }
                catch (DbException)
                {
                    // The connection is lost, and the server has rolled back.
                }
            }
        }
    }

    private static DbCommand LockOn(IDbContextTransaction transaction)
    {
        var own = transaction.GetDbTransaction();
        var command = own.Connection!.CreateCommand();
        (command.CommandText, command.Transaction) = (Lock, own);
        return command;
    }

    private void RefuseDifference(int[] written)
    {
        if (Array.FindIndex(written, w => w != written[0]) is > 0 and var other)
        {
            throw new InvalidOperationException(
                $"A write of a reference table found {written[0]} rows on the shard '{shards[0].ShardName}' and {written[other]} on '{shards[other].ShardName}': the copies differ, and nothing was written. Bring them into line by ExecuteUpdateAsync or ExecuteSqlAsync on a context of each shard: CreateDbContextOnShard(name).");
        }
    }
}
