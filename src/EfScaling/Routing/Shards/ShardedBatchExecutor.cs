using EfScaling.Sharding;
using EfScaling.Sharding.Catalog;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.ChangeTracking;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.EntityFrameworkCore.Update;
using Npgsql;

namespace EfScaling.Routing.Shards;

/// <summary>Writes what SaveChanges has to write on the shard that it lives on.</summary>
/// <remarks>
/// All of it lives on one, and the transaction is that of one database, as without shards; or it is rows of reference tables alone, which are written on every shard. Anything else is
/// refused before anything is sent.
/// </remarks>
internal sealed class ShardedBatchExecutor(IBatchExecutor inner, ICurrentDbContext current, ReadRouter router) : IBatchExecutor
{
    /// <inheritdoc />
    public int Execute(IEnumerable<ModificationCommandBatch> commandBatches, IRelationalConnection connection)
    {
        if (CopiesOfChanges(connection) is { } copies)
        {
            var batches = commandBatches.ToList();
            return copies.Run(shard => ExecuteOn(batches, shard.Connection));
        }

        if (router.Shards is { IsGoverned: true } shards)
        {
            return Execute(shards, commandBatches, connection);
        }

        return ExecuteOn(commandBatches, Begin(connection).Connection);
    }

    /// <inheritdoc />
    public async Task<int> ExecuteAsync(IEnumerable<ModificationCommandBatch> commandBatches, IRelationalConnection connection, CancellationToken cancellationToken = default)
    {
        if (CopiesOfChanges(connection) is { } copies)
        {
            // Their values are those of the application, so the same commands write the same rows everywhere.
            var batches = commandBatches.ToList();
            return await copies.RunAsync(shard => ExecuteOnAsync(batches, shard.Connection, cancellationToken), cancellationToken).ConfigureAwait(false);
        }

        if (router.Shards is { IsGoverned: true } shards)
        {
            return await ExecuteAsync(shards, commandBatches, connection, cancellationToken).ConfigureAwait(false);
        }

        return await ExecuteOnAsync(commandBatches, Begin(connection).Connection, cancellationToken).ConfigureAwait(false);
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

    // The first statement proves that the shard owns all rows of the SaveChanges, and so is the only one that can be refused: nothing has been read back then. Without
    // a transaction (AutoTransactionBehavior.Never) each batch proves it, and what the batches before have written stays.
    private int Execute(ContextShards shards, IEnumerable<ModificationCommandBatch> commandBatches, IRelationalConnection connection)
    {
        using var batches = new RepeatableBatches(commandBatches);
        MapRenewal? renewal = null;
        while (true)
        {
            shards.Prepare();
            var target = Begin(connection);
            try
            {
                return inner.Execute(batches, target.Connection);
            }
            catch (Exception exception) when (batches.CanRepeat && MapRenewal.IsCausedBy(exception))
            {
                (renewal ??= new MapRenewal(shards, connection)).Await(exception);
            }
            catch (Exception exception) when (MapRenewal.IsCausedBy(exception))
            {
                throw WrittenInPart(exception);
            }
            catch (Exception exception) when (Named(target.Connection, exception) is { } named)
            {
                throw named;
            }
            finally
            {
                target.Claim = null;
            }
        }
    }

    private async Task<int> ExecuteAsync(
        ContextShards shards, IEnumerable<ModificationCommandBatch> commandBatches, IRelationalConnection connection, CancellationToken cancellationToken)
    {
        using var batches = new RepeatableBatches(commandBatches);
        MapRenewal? renewal = null;
        while (true)
        {
            await shards.PrepareAsync(cancellationToken).ConfigureAwait(false);
            var target = Begin(connection);
            try
            {
                return await inner.ExecuteAsync(batches, target.Connection, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception exception) when (batches.CanRepeat && MapRenewal.IsCausedBy(exception))
            {
                await (renewal ??= new MapRenewal(shards, connection)).AwaitAsync(exception, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception exception) when (MapRenewal.IsCausedBy(exception))
            {
                throw WrittenInPart(exception);
            }
            catch (Exception exception) when (Named(target.Connection, exception) is { } named)
            {
                throw named;
            }
            finally
            {
                target.Claim = null;
            }
        }
    }

    private static ShardMapChangedException WrittenInPart(Exception exception) => new(
        "SaveChanges without a transaction met a shard that does not own what it needs any more, after a part of the changes was written and committed. "
        + "Read anew what is there and repeat the rest; to write all or nothing, leave Database.AutoTransactionBehavior at WhenNeeded.",
        exception);

    // The router of the shard that the changes concern; the context's own if there are none.
    private ReadRouter Begin(IRelationalConnection connection)
    {
        if (router.Shards is not { } shards)
        {
            return router;
        }

        var picture = shards.Picture;
        var claim = shards.IsGoverned ? new OwnershipClaim(picture, shards.Own) : null;
        if (ShardsOfChanges(shards, picture, claim) is not { Count: > 0 } concerned)
        {
            return router;
        }

        var target = shards.RouterFor(concerned, connection);
        if (claim is { IsEmpty: false })
        {
            shards.Note(picture);
            claim.Shard = concerned[0];
            target.Claim = claim;
        }

        return target;
    }

    // What writes the changes on every shard; null if none of them is of a reference table, or there is one shard alone.
    private CopiedWrite? CopiesOfChanges(IRelationalConnection connection)
    {
        if (router.Shards is not { Database: { Model.HasReferenceTables: true, Options.Shards.Length: > 1 } database } shards)
        {
            return null;
        }

        var (hasCopies, hasOthers) = (false, false);
        var tracker = current.Context.ChangeTracker;
        var detects = tracker.AutoDetectChangesEnabled;
        tracker.AutoDetectChangesEnabled = false;
        try
        {
            foreach (var entry in tracker.Entries().Where(e => e.State is EntityState.Added or EntityState.Modified or EntityState.Deleted))
            {
                var isCopied = database.Model.Find(entry.Metadata).Placement == TablePlacement.Reference;
                (hasCopies, hasOthers) = (hasCopies || isCopied, hasOthers || !isCopied);
            }
        }
        finally
        {
            tracker.AutoDetectChangesEnabled = detects;
        }

        return hasCopies ? shards.CopiesFor(connection, hasOthers) : null;
    }

    private List<string> ShardsOfChanges(ContextShards shards, ShardPicture picture, OwnershipClaim? claim)
    {
        var found = new List<string>();
        var tracker = current.Context.ChangeTracker;
        var detects = tracker.AutoDetectChangesEnabled;

        // SaveChanges has detected them by now.
        tracker.AutoDetectChangesEnabled = false;
        try
        {
            foreach (var entry in tracker.Entries())
            {
                if (entry.State is not (EntityState.Added or EntityState.Modified or EntityState.Deleted))
                {
                    continue;
                }

                foreach (var shard in ShardsOf(entry, shards.Database, picture, claim))
                {
                    if (!found.Contains(shard))
                    {
                        found.Add(shard);
                    }
                }
            }
        }
        finally
        {
            tracker.AutoDetectChangesEnabled = detects;
        }

        return found;
    }

    private static IEnumerable<string> ShardsOf(EntityEntry entry, ShardedDatabase database, ShardPicture picture, OwnershipClaim? claim)
    {
        var place = database.Model.Find(entry.Metadata);
        switch (place.Placement)
        {
            case TablePlacement.Reference:
                return database.Options.Shards.Select(s => s.Name);
            case TablePlacement.DefaultShard:
                return [database.DefaultShard];
            default:
                var map = picture.Maps[place.Map];
                claim?.Add(place.Map, RowPlace.BucketOf(place, map, entry) ?? MapOwnership.WholeShard);
                return RowPlace.ShardsOf(place, map, entry);
        }
    }
}
