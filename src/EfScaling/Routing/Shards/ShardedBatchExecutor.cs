using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.ChangeTracking;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.EntityFrameworkCore.Update;
using Npgsql;

namespace EfScaling.Routing.Shards;

/// <summary>Writes what SaveChanges has to write on the shard that it lives on.</summary>
/// <remarks>All of it lives on one: several are refused before anything is sent. So the transaction is that of one database, as without shards.</remarks>
internal sealed class ShardedBatchExecutor(IBatchExecutor inner, ICurrentDbContext current, ReadRouter router) : IBatchExecutor
{
    /// <inheritdoc />
    public int Execute(IEnumerable<ModificationCommandBatch> commandBatches, IRelationalConnection connection)
    {
        var target = ConnectionFor(connection);
        try
        {
            return inner.Execute(commandBatches, target);
        }
        catch (Exception exception) when (Named(target, exception) is { } named)
        {
            throw named;
        }
    }

    /// <inheritdoc />
    public async Task<int> ExecuteAsync(IEnumerable<ModificationCommandBatch> commandBatches, IRelationalConnection connection, CancellationToken cancellationToken = default)
    {
        var target = ConnectionFor(connection);
        try
        {
            return await inner.ExecuteAsync(commandBatches, target, cancellationToken).ConfigureAwait(false);
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

    private IRelationalConnection ConnectionFor(IRelationalConnection connection)
    {
        if (router.Shards is not { } shards || ShardsOfChanges(shards) is not { Count: > 0 } concerned)
        {
            return connection;
        }

        return shards.RouterFor(concerned, connection).Connection;
    }

    private List<string> ShardsOfChanges(ContextShards shards)
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

                foreach (var shard in ShardsOf(entry, shards.Database))
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

    private static IEnumerable<string> ShardsOf(EntityEntry entry, ShardedDatabase database)
    {
        var place = database.Model.Find(entry.Metadata);
        switch (place.Placement)
        {
            case TablePlacement.Reference:
                return database.Options.Shards.Select(s => s.Name);
            case TablePlacement.DefaultShard:
                return [database.Options.Default.Name];
            default:
                return RowPlace.ShardsOf(place, database.Picture.Maps[place.Map], entry);
        }
    }
}
