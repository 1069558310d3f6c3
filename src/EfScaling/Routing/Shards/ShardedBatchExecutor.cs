using EfScaling.Routing.Transactions;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.EntityFrameworkCore.Update;
using Npgsql;

namespace EfScaling.Routing.Shards;

/// <summary>Writes what SaveChanges has to write on the shards that it lives on.</summary>
/// <remarks>
/// What lives on one is written by a transaction of one database, as without shards. Otherwise each batch of EF is divided by shards when its turn comes, for what the database generates
/// for one batch is written by the next, and all shards commit together. Rows of reference tables are written on every shard.
/// </remarks>
internal sealed class ShardedBatchExecutor(IBatchExecutor inner, ICurrentDbContext current, ReadRouter router, Func<ICommandBatchPreparer> preparer) : IBatchExecutor
{
    /// <inheritdoc />
    public int Execute(IEnumerable<ModificationCommandBatch> commandBatches, IRelationalConnection connection)
    {
        if (router.Shards is not { } shards)
        {
            return inner.Execute(commandBatches, connection);
        }

        if (!shards.IsGoverned)
        {
            return Execute(shards, Find(shards), commandBatches, connection);
        }

        // The first statement on each shard proves that the shard owns all rows of the SaveChanges, and so is the only one that can be refused there. Without
        // a transaction (AutoTransactionBehavior.Never) each batch proves it, and what the batches before have written stays.
        using var batches = new RepeatableBatches(commandBatches);
        MapRenewal? renewal = null;
        while (true)
        {
            shards.Maps.Prepare();
            try
            {
                return Execute(shards, Find(shards), batches, connection);
            }
            catch (Exception exception) when (batches.CanRepeat && MapRenewal.IsCausedBy(exception))
            {
                (renewal ??= new MapRenewal(shards, connection)).Await(exception);
            }
            catch (Exception exception) when (MapRenewal.IsCausedBy(exception))
            {
                throw WrittenInPart(exception);
            }
        }
    }

    /// <inheritdoc />
    public async Task<int> ExecuteAsync(IEnumerable<ModificationCommandBatch> commandBatches, IRelationalConnection connection, CancellationToken cancellationToken = default)
    {
        if (router.Shards is not { } shards)
        {
            return await inner.ExecuteAsync(commandBatches, connection, cancellationToken).ConfigureAwait(false);
        }

        if (!shards.IsGoverned)
        {
            return await ExecuteAsync(shards, Find(shards), commandBatches, connection, cancellationToken).ConfigureAwait(false);
        }

        using var batches = new RepeatableBatches(commandBatches);
        MapRenewal? renewal = null;
        while (true)
        {
            await shards.Maps.PrepareAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                return await ExecuteAsync(shards, Find(shards), batches, connection, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception exception) when (batches.CanRepeat && MapRenewal.IsCausedBy(exception))
            {
                await (renewal ??= new MapRenewal(shards, connection)).AwaitAsync(exception, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception exception) when (MapRenewal.IsCausedBy(exception))
            {
                throw WrittenInPart(exception);
            }
        }
    }

    private int Execute(ContextShards shards, ConcernedShards concerned, IEnumerable<ModificationCommandBatch> batches, IRelationalConnection connection)
    {
        if (WriteOf(shards, concerned, connection) is { } write)
        {
            return write.Run(() => ExecuteOn(write, concerned, batches));
        }

        var target = TargetOf(shards, concerned, connection);
        try
        {
            return ExecuteOn(batches, target.Connection);
        }
        finally
        {
            target.Claim = null;
        }
    }

    private async Task<int> ExecuteAsync(
        ContextShards shards, ConcernedShards concerned, IEnumerable<ModificationCommandBatch> batches, IRelationalConnection connection, CancellationToken cancellationToken)
    {
        if (WriteOf(shards, concerned, connection) is { } write)
        {
            return await WriteAsync(write, concerned, batches, cancellationToken).ConfigureAwait(false);
        }

        var target = TargetOf(shards, concerned, connection);
        try
        {
            return await ExecuteOnAsync(batches, target.Connection, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            target.Claim = null;
        }
    }

    // A method of its own: what the closure needs would be allocated for every SaveChanges.
    private Task<int> WriteAsync(DistributedWrite write, ConcernedShards concerned, IEnumerable<ModificationCommandBatch> batches, CancellationToken cancellationToken) =>
        write.RunAsync(() => ExecuteOnAsync(write, concerned, batches, cancellationToken), cancellationToken);

    private int ExecuteOn(DistributedWrite write, ConcernedShards concerned, IEnumerable<ModificationCommandBatch> batches)
    {
        var savepoints = BeginShare(write, concerned);
        try
        {
            var written = 0;
            foreach (var batch in batches)
            {
                foreach (var (target, commands) in SharesOf(batch, write, concerned))
                {
                    ExecuteOn(preparer().CreateCommandBatches(commands, moreCommandSets: true), target.Connection);
                }

                written += batch.ModificationCommands.Count;
            }

            return written;
        }
        finally
        {
            EndShare(write, savepoints);
        }
    }

    private async Task<int> ExecuteOnAsync(DistributedWrite write, ConcernedShards concerned, IEnumerable<ModificationCommandBatch> batches, CancellationToken cancellationToken)
    {
        var savepoints = BeginShare(write, concerned);
        try
        {
            var written = 0;
            foreach (var batch in batches)
            {
                foreach (var (target, commands) in SharesOf(batch, write, concerned))
                {
                    await ExecuteOnAsync(preparer().CreateCommandBatches(commands, moreCommandSets: true), target.Connection, cancellationToken).ConfigureAwait(false);
                }

                written += batch.ModificationCommands.Count;
            }

            return written;
        }
        finally
        {
            EndShare(write, savepoints);
        }
    }

    // The transactions are this SaveChanges' own, and what fails is rolled back altogether: savepoints would be round trips for nothing.
    private bool BeginShare(DistributedWrite write, ConcernedShards concerned)
    {
        foreach (var target in write.Routers)
        {
            target.Claim = concerned.ClaimOf(target.ShardName!);
        }

        var savepoints = current.Context.Database.AutoSavepointsEnabled;
        current.Context.Database.AutoSavepointsEnabled = false;
        return savepoints;
    }

    private void EndShare(DistributedWrite write, bool savepoints)
    {
        current.Context.Database.AutoSavepointsEnabled = savepoints;
        foreach (var target in write.Routers)
        {
            target.Claim = null;
        }
    }

    // The commands of each shard, in their order. Copies have the values of the application, so that the same commands write the same rows everywhere.
    private static IEnumerable<(ReadRouter Target, IReadOnlyList<IReadOnlyModificationCommand> Commands)> SharesOf(
        ModificationCommandBatch batch, DistributedWrite write, ConcernedShards concerned)
    {
        var placed = batch.ModificationCommands.Select(c => (Command: c, Shard: concerned.ShardOf(c))).ToList();
        foreach (var target in write.Routers)
        {
            List<IReadOnlyModificationCommand> commands = [.. placed.Where(p => p.Shard is null || p.Shard == target.ShardName).Select(p => p.Command)];
            if (commands.Count > 0)
            {
                yield return (target, commands);
            }
        }
    }

    private int ExecuteOn(IEnumerable<ModificationCommandBatch> batches, IRelationalConnection target)
    {
        try
        {
            return inner.Execute(batches, target);
        }
        catch (Exception exception) when (Named(target, exception) is { } named)
        {
            throw named;
        }
    }

    private async Task<int> ExecuteOnAsync(IEnumerable<ModificationCommandBatch> batches, IRelationalConnection target, CancellationToken cancellationToken)
    {
        try
        {
            return await inner.ExecuteAsync(batches, target, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (Named(target, exception) is { } named)
        {
            throw named;
        }
    }

    // As the exception was, with the shard in its message.
    private static Exception? Named(IRelationalConnection connection, Exception exception)
    {
        if (exception is NpgsqlException direct)
        {
            return ShardConnectionException.Of(ReadRouter.Of(connection).ShardName, direct);
        }

        return exception is DbUpdateException { InnerException: NpgsqlException inner } update
            && exception.GetType() == typeof(DbUpdateException)
            && ShardConnectionException.Of(ReadRouter.Of(connection).ShardName, inner) is { } named
                ? new DbUpdateException(named.Message, named, update.Entries)
                : null;
    }

    private static ShardMapChangedException WrittenInPart(Exception exception) => new(
        "SaveChanges without a transaction met a shard that does not own what it needs any more, after a part of the changes was written and committed. "
        + "Read anew what is there and repeat the rest; to write all or nothing, leave Database.AutoTransactionBehavior at WhenNeeded.",
        exception);

    private ConcernedShards Find(ContextShards shards) => ConcernedShards.Of(current.Context.ChangeTracker, shards, shards.Picture);

    // What writes on several shards; null if one alone is concerned, or none.
    private DistributedWrite? WriteOf(ContextShards shards, ConcernedShards concerned, IRelationalConnection connection)
    {
        if (concerned.Names.Count < 2 || concerned.IsAmbiguous || (shards.IsBound && !concerned.HasCopies))
        {
            return null;
        }

        if (!concerned.HasCopies && current.Context.Database.AutoTransactionBehavior == AutoTransactionBehavior.Never)
        {
            throw shards.WithoutTransaction(concerned.Names);
        }

        if (shards.IsGoverned)
        {
            shards.Maps.Note(concerned.Picture);
        }

        return shards.WriteFor(concerned.Names, connection, concerned.HasCopies, concerned.HasOthers);
    }

    // The router of the one shard that the changes concern; the context's own if there are none.
    private ReadRouter TargetOf(ContextShards shards, ConcernedShards concerned, IRelationalConnection connection)
    {
        if (concerned.Names.Count == 0)
        {
            return router;
        }

        var target = shards.RouterFor(concerned.Names, connection);
        if (concerned.ClaimOf(target.ShardName!) is { } claim)
        {
            shards.Maps.Note(concerned.Picture);
            target.Claim = claim;
        }

        return target;
    }
}
