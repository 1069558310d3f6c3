using System.Collections.Concurrent;
using EfScaling.Diagnostics;
using EfScaling.Routing.Checks;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace EfScaling.Routing.Shards;

/// <summary>Creates contexts that span all shards, and contexts that work on the shard of one key.</summary>
/// <typeparam name="TContext">The context's type, with a constructor for its options.</typeparam>
/// <remarks>
/// All contexts share one model, one set of EF's services and their compiled queries. Thread-safe. The caller disposes the contexts. Contexts are pooled, a pool for each shard
/// that is used, unless told otherwise.
/// </remarks>
public sealed class ShardedDbContextFactory<TContext> : IDbContextFactory<TContext>
    where TContext : DbContext
{
    private readonly IDbContextFactory<TContext> _spanning;
    private readonly Func<string, IDbContextFactory<TContext>> _create;
    private readonly ConcurrentDictionary<string, IDbContextFactory<TContext>> _bound = new(StringComparer.Ordinal);
    private readonly Lazy<ShardedDatabase> _database;

    /// <param name="spanning">Creates contexts that span all shards.</param>
    /// <param name="bound">Returns what creates contexts that are bound to a shard.</param>
    internal ShardedDbContextFactory(IDbContextFactory<TContext> spanning, Func<string, IDbContextFactory<TContext>> bound)
    {
        (_spanning, _create) = (spanning, bound);
        _database = new Lazy<ShardedDatabase>(() =>
        {
            using var context = spanning.CreateDbContext();
            return ShardsOf(context).Database;
        });
    }

    /// <summary>Gets the names of the shards, in the order in which they were added.</summary>
    public IReadOnlyList<string> Shards => [.. _database.Value.Options.Shards.Select(s => s.Name)];

    /// <summary>Creates a context that spans all shards: each query runs on the shards that it concerns, or is refused if its parts cannot be put together; SaveChanges writes on all that it concerns, in one transaction.</summary>
    public TContext CreateDbContext()
    {
        if (ShardingMeter.CountsContexts)
        {
            ShardingMeter.CountSpanningContext();
        }

        return _spanning.CreateDbContext();
    }

    /// <summary>Creates a context that works on the shard of a key alone. What concerns another shard is refused.</summary>
    /// <param name="key">The key: <c>ShardKey.Of(42)</c>.</param>
    /// <param name="map">The name of the shard map; <see langword="null"/> for the one without a name.</param>
    /// <exception cref="ShardKeyException">The key is not of the model's types, or no shard has it.</exception>
    /// <exception cref="ArgumentException">The model has no such map.</exception>
    public TContext CreateDbContext(ShardKey key, string? map = null) => CreateDbContextOnShard(ShardOf(key, map));

    /// <summary>Creates a context that works on one shard alone. What certainly concerns another is refused.</summary>
    /// <param name="shard">The name of the shard.</param>
    /// <exception cref="ArgumentException">There is no such shard.</exception>
    public TContext CreateDbContextOnShard(string shard)
    {
        ArgumentNullException.ThrowIfNull(shard);
        var context = _bound.TryGetValue(shard, out var factory) ? factory.CreateDbContext() : _bound.GetOrAdd(shard, _create).CreateDbContext();
        if (ShardingMeter.CountsContexts)
        {
            ShardingMeter.CountContext(shard);
        }

        return context;
    }

    /// <summary>Returns the shard of a key.</summary>
    /// <inheritdoc cref="CreateDbContext(ShardKey, string?)" path="/param"/>
    /// <inheritdoc cref="CreateDbContext(ShardKey, string?)" path="/exception"/>
    public string ShardOf(ShardKey key, string? map = null) =>
        _database.Value.Picture.Maps.TryGetValue(map ?? string.Empty, out var known)
            ? known.ShardOf(key)
            : throw NoSuchMap(map);

    /// <summary>Returns the types of the columns of keys.</summary>
    /// <param name="map">The name of the shard map; <see langword="null"/> for the one without a name.</param>
    /// <exception cref="ArgumentException">The model has no such map.</exception>
    public IReadOnlyList<ShardKeyType> KeyTypesOf(string? map = null) =>
        _database.Value.Model.Keys.TryGetValue(map ?? string.Empty, out var types) ? types : throw NoSuchMap(map);

    /// <summary>Runs something on every shard, on a context of its own that is bound to the shard.</summary>
    /// <param name="work">What to run. What certainly concerns another shard is refused there.</param>
    /// <param name="maxParallel">How many shards are worked on at once; at least 1, and 4 by default.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <typeparam name="TResult">What it returns.</typeparam>
    /// <returns>What became of each shard, in the order in which they were added: one that fails keeps none of the others from being worked on.</returns>
    /// <remarks>
    /// With a catalog all shards are worked on by the maps of the beginning: where a change of a map has moved rows since, commands fail with <see cref="ShardMapChangedException"/>.
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maxParallel"/> is less than 1.</exception>
    /// <exception cref="OperationCanceledException">The work was cancelled.</exception>
    public async Task<IReadOnlyList<ShardResult<TResult>>> ForEachShardAsync<TResult>(
        Func<TContext, CancellationToken, Task<TResult>> work, int maxParallel = 4, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(work);
        var maps = await _database.Value.AskAsync(cancellationToken).ConfigureAwait(false);
        return await new ShardWork(Shards, CreatePinned)
            .RunAsync((context, token) => work((TContext)context, token), maxParallel, progress: null, cancellationToken).ConfigureAwait(false);

        TContext CreatePinned(string shard)
        {
            var context = CreateDbContextOnShard(shard);
            ShardsOf(context).Maps.Pinned = maps;
            return context;
        }
    }

    /// <summary>Finds every row that is on a shard which its key does not belong to, and reference tables that differ between shards.</summary>
    /// <param name="options">From where the rows are read and in which portions; <see langword="null"/> for the defaults.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <returns>What was found of each table on each shard.</returns>
    /// <exception cref="ShardsFailedException">Some shards could not be read.</exception>
    public async Task<PlacementResult> VerifyPlacementAsync(PlacementCheckOptions? options = null, CancellationToken cancellationToken = default)
    {
        var context = CreateDbContext();
        await using (context.ConfigureAwait(false))
        {
            return await context.Database.VerifyPlacementAsync(options, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Compares the schemas of all shards, and their migrations.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Each difference by name; empty if there is none.</returns>
    /// <exception cref="ShardsFailedException">Some shards could not be read.</exception>
    public async Task<IReadOnlyList<SchemaDifference>> CompareShardSchemasAsync(CancellationToken cancellationToken = default)
    {
        var context = CreateDbContext();
        await using (context.ConfigureAwait(false))
        {
            return await context.Database.CompareShardSchemasAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Asks the primary of every shard whether it can be used as the configuration says.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>What is wrong or to be watched; a shard that cannot be reached is a finding too.</returns>
    public async Task<ShardsCheckResult> CheckShardsAsync(CancellationToken cancellationToken = default)
    {
        var context = CreateDbContext();
        await using (context.ConfigureAwait(false))
        {
            return await context.Database.CheckShardsAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private ArgumentException NoSuchMap(string? map) => new(
        $"There is no shard map '{map}'; the model's are '{string.Join("', '", _database.Value.Model.Keys.Keys)}'. Name one of them, or mark an entity by IsSharded(key, map: \"{map}\").", nameof(map));

    private static ContextShards ShardsOf(TContext context) =>
        context.GetInfrastructure().GetService(typeof(ReadRouter)) is ReadRouter { Shards: { } shards }
            ? shards
            : throw new InvalidOperationException(
                $"The context factory was made for '{typeof(TContext).Name}', whose options have no shards. Call UseSharding(...) on them, after UseNpgsql().");
}
