using EfScaling.Caching;
using EfScaling.Infrastructure;
using EfScaling.Replication;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Lets a context scale past one database.</summary>
public static class EfScalingDbContextOptionsExtensions
{
    /// <summary>Sends LINQ queries to replicas that are proven fresh enough, and everything else to the primary.</summary>
    /// <param name="options">The options, after <c>UseNpgsql</c>.</param>
    /// <param name="configure">
    /// Names the replicas and sets limits. Without replicas, the hosts of the connection string (<c>Host=a,b,c</c>) are the nodes; the servers say
    /// which of them is the primary.
    /// </param>
    /// <returns>The same options.</returns>
    /// <remarks>
    /// Reads of a context see what the context itself has written, never go back in time from one replica to another, and are at most <c>MaxStaleness</c>
    /// old. When no replica can prove that, they run on the primary. No connection is opened here; wrong settings are reported by the context's first command.
    /// </remarks>
    public static DbContextOptionsBuilder UseReadReplicas(this DbContextOptionsBuilder options, Action<ReplicaOptionsBuilder>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        var builder = new ReplicaOptionsBuilder();
        configure?.Invoke(builder);
        if (Of(options)?.Sharding is not null)
        {
            throw new InvalidOperationException("UseReadReplicas was called on a context with UseSharding. Give each shard its replicas instead: AddShard(name, connection, r => r.AddReplica(...)).");
        }

        return With(options, new EfScalingOptionsExtension { Replicas = builder.Options, Cache = Of(options)?.Cache });
    }

    /// <inheritdoc cref="UseReadReplicas(DbContextOptionsBuilder, Action{ReplicaOptionsBuilder}?)" />
    /// <typeparam name="TContext">The context's type.</typeparam>
    public static DbContextOptionsBuilder<TContext> UseReadReplicas<TContext>(
        this DbContextOptionsBuilder<TContext> options, Action<ReplicaOptionsBuilder>? configure = null)
        where TContext : DbContext =>
        (DbContextOptionsBuilder<TContext>)UseReadReplicas((DbContextOptionsBuilder)options, configure);

    /// <summary>Keeps results of queries that say <c>Cacheable()</c>, so that they are answered without a database until a write makes them old.</summary>
    /// <param name="options">The options, after <c>UseNpgsql</c>.</param>
    /// <param name="configure">Names the store and sets limits. Without one, results are kept in the memory of this process.</param>
    /// <returns>The same options.</returns>
    /// <remarks>
    /// Whoever reads after a write was acknowledged sees it, in every process that uses the same store and prefix. What the cache cannot see, and how to tell it,
    /// is in the documentation: triggers, other applications, and commands beside EF. A store that fails costs its time limit once, and no query its answer.
    /// </remarks>
    public static DbContextOptionsBuilder UseQueryCache(this DbContextOptionsBuilder options, Action<QueryCacheOptionsBuilder>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        var builder = new QueryCacheOptionsBuilder();
        configure?.Invoke(builder);
        var present = Of(options);
        return With(
            options,
            new EfScalingOptionsExtension { Replicas = present?.Replicas, Cache = builder.Options, Sharding = present?.Sharding, BoundShard = present?.BoundShard });
    }

    /// <inheritdoc cref="UseQueryCache(DbContextOptionsBuilder, Action{QueryCacheOptionsBuilder}?)" />
    /// <typeparam name="TContext">The context's type.</typeparam>
    public static DbContextOptionsBuilder<TContext> UseQueryCache<TContext>(
        this DbContextOptionsBuilder<TContext> options, Action<QueryCacheOptionsBuilder>? configure = null)
        where TContext : DbContext =>
        (DbContextOptionsBuilder<TContext>)UseQueryCache((DbContextOptionsBuilder)options, configure);

    /// <summary>Spreads the rows of entities marked by <c>IsSharded</c> over several databases, with one model and the same LINQ.</summary>
    /// <param name="options">The options, after <c>UseNpgsql</c>, which needs no connection: the shards have theirs.</param>
    /// <param name="configure">Adds the shards, and says how keys find them.</param>
    /// <returns>The same options.</returns>
    /// <remarks>
    /// A query runs on the shard that its conditions on the shard key lead to. What cannot be answered by one shard, or written to one, is refused with the reason and
    /// the remedy. Everything that is not sharded lives on the default shard. Replicas are given with each shard, not by <c>UseReadReplicas</c>.
    /// </remarks>
    /// <exception cref="InvalidOperationException"><c>UseNpgsql</c> was not called before, <c>UseReadReplicas</c> was, or the shards cannot work together.</exception>
    public static DbContextOptionsBuilder UseSharding(this DbContextOptionsBuilder options, Action<ShardingOptionsBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(configure);
        EfScalingServices.RequireNpgsql(options.Options, "UseSharding");
        var present = Of(options);
        if (present is { Replicas: not null, Sharding: null })
        {
            throw new InvalidOperationException("UseSharding was called on a context with UseReadReplicas. Give each shard its replicas instead: AddShard(name, connection, r => r.AddReplica(...)).");
        }

        var builder = new ShardingOptionsBuilder();
        configure(builder);
        var sharding = builder.Options;
        if (sharding.Shards.IsEmpty)
        {
            throw new InvalidOperationException("UseSharding was called without shards. Call AddShard(name, connection) for each of them.");
        }

        if (sharding.DefaultShard is { } name && sharding.Find(name) is null)
        {
            throw new InvalidOperationException($"UseSharding names '{name}' as the default shard, which was not added. Call AddShard(\"{name}\", ...), or correct DefaultShard(...).");
        }

        // A context that is bound to a shard by its factory may configure itself after that.
        var bound = present?.BoundShard ?? ShardBinding.Creating;
        With(options, new EfScalingOptionsExtension { Cache = present?.Cache, Sharding = sharding, BoundShard = bound });
        ShardBinding.Apply(options, bound);
        return options;
    }

    /// <inheritdoc cref="UseSharding(DbContextOptionsBuilder, Action{ShardingOptionsBuilder})" />
    /// <typeparam name="TContext">The context's type.</typeparam>
    public static DbContextOptionsBuilder<TContext> UseSharding<TContext>(this DbContextOptionsBuilder<TContext> options, Action<ShardingOptionsBuilder> configure)
        where TContext : DbContext =>
        (DbContextOptionsBuilder<TContext>)UseSharding((DbContextOptionsBuilder)options, configure);

    private static EfScalingOptionsExtension? Of(DbContextOptionsBuilder options) => options.Options.FindExtension<EfScalingOptionsExtension>();

    private static DbContextOptionsBuilder With(DbContextOptionsBuilder options, EfScalingOptionsExtension extension)
    {
        ((IDbContextOptionsBuilderInfrastructure)options).AddOrUpdateExtension(extension);
        return options;
    }
}
