using EfScaling.Caching;
using EfScaling.Consistency;
using EfScaling.Replication;
using EfScaling.Routing;
using EfScaling.Routing.Scatter;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Storage;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Says for all that a context does in a scope where it runs, and what ran where.</summary>
public static class EfScalingDatabaseFacadeExtensions
{
    /// <summary>Reads the primary until the scope is disposed; for code without a query to mark, such as Find and lazy loading.</summary>
    /// <param name="database">The context's <c>Database</c>.</param>
    /// <returns>The scope. Scopes nest; the innermost wins.</returns>
    /// <exception cref="InvalidOperationException">The context does not use read replicas.</exception>
    public static IDisposable UsePrimary(this DatabaseFacade database) => Router(database, nameof(UsePrimary)).Terms.Enter(ReadContract.Primary, null);

    /// <summary>Limits how old data may be until the scope is disposed; <c>WithMaxStaleness</c> on a query wins.</summary>
    /// <param name="database">The context's <c>Database</c>.</param>
    /// <param name="limit">Zero or more; zero reads the primary.</param>
    /// <returns>The scope. Scopes nest; the innermost wins.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The limit is negative.</exception>
    /// <exception cref="InvalidOperationException">The context does not use read replicas.</exception>
    public static IDisposable UseMaxStaleness(this DatabaseFacade database, TimeSpan limit)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, TimeSpan.Zero);
        return Router(database, nameof(UseMaxStaleness)).Terms.Enter(null, limit);
    }

    /// <summary>Says what reads ask of their data until the scope is disposed; <c>WithContract</c> on a query wins.</summary>
    /// <param name="database">The context's <c>Database</c>.</param>
    /// <param name="contract">The contract.</param>
    /// <returns>The scope. Scopes nest; the innermost wins.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The value is not defined.</exception>
    /// <exception cref="InvalidOperationException">The context does not use read replicas.</exception>
    public static IDisposable UseContract(this DatabaseFacade database, ReadContract contract) =>
        Enum.IsDefined(contract)
            ? Router(database, nameof(UseContract)).Terms.Enter(contract, null)
            : throw new ArgumentOutOfRangeException(nameof(contract), contract, "The value is not defined.");

    /// <summary>Leaves the rows of shards that do not answer out of queries over several shards, until the scope is disposed.</summary>
    /// <param name="database">The context's <c>Database</c>.</param>
    /// <param name="report">The scope, which tells whose rows are missing. Look at it behind each query.</param>
    /// <returns>The scope.</returns>
    /// <remarks>
    /// A result of only some shards is kept in no cache. Counts and sums are those of the shards that answered. A shard that breaks behind its first row, or that
    /// the whole query needs, fails the query as it does elsewhere; so does the last one that could answer.
    /// </remarks>
    /// <exception cref="InvalidOperationException">The context does not use sharding, or is bound to one shard.</exception>
    public static PartialResults AllowPartialResults(this DatabaseFacade database, out PartialResults report)
    {
        var router = Router(database, nameof(AllowPartialResults));
        return report = router.Shards is { IsBound: false }
            ? router.Partial = new PartialResults(router)
            : throw new InvalidOperationException("AllowPartialResults was called on a context of one shard, whose queries have all of its rows or fail. Call it on a context that spans all shards, CreateDbContext().");
    }

    /// <summary>Returns the token of all that the context, and the session it runs in, has written and seen.</summary>
    /// <param name="database">The context's <c>Database</c>.</param>
    /// <returns>The token. Costs a round trip to the primary if something was written whose position is not known, and nothing otherwise.</returns>
    /// <exception cref="InvalidOperationException">The context does not use read replicas.</exception>
    public static ConsistencyToken GetConsistencyToken(this DatabaseFacade database)
    {
        var router = RouterOfOneShard(database, nameof(GetConsistencyToken));
        return WithMaps(router, router.Session.GetToken());
    }

    /// <inheritdoc cref="GetConsistencyToken" />
    /// <param name="database">The context's <c>Database</c>.</param>
    /// <param name="cancellationToken">Ends the wait for a server.</param>
    public static async ValueTask<ConsistencyToken> GetConsistencyTokenAsync(this DatabaseFacade database, CancellationToken cancellationToken = default)
    {
        var router = RouterOfOneShard(database, nameof(GetConsistencyTokenAsync));
        return WithMaps(router, await router.Session.GetTokenAsync(cancellationToken).ConfigureAwait(false));
    }

    /// <summary>Makes later reads of the context, and of the session it runs in, show what was written and seen elsewhere.</summary>
    /// <param name="database">The context's <c>Database</c>.</param>
    /// <param name="token">The token.</param>
    /// <exception cref="InvalidOperationException">The context does not use read replicas.</exception>
    public static void UseConsistencyToken(this DatabaseFacade database, ConsistencyToken token)
    {
        ArgumentNullException.ThrowIfNull(token);
        RouterOfOneShard(database, nameof(UseConsistencyToken)).Session.Use(token);
    }

    /// <summary>Makes all queries of the context see one moment on one replica until the snapshot is disposed; no query of it can write.</summary>
    /// <param name="database">The context's <c>Database</c>.</param>
    /// <returns>The snapshot. On the primary if no replica may serve.</returns>
    /// <remarks>The replica is chosen as for any query, under the contract of the scope or the context. Costs one round trip, or two with a guard.</remarks>
    /// <exception cref="InvalidOperationException">The context does not use read replicas, or a snapshot, transaction or connection of it is open.</exception>
    /// <exception cref="NoEligibleNodeException">No node may serve.</exception>
    public static ReplicaSnapshot BeginReplicaSnapshot(this DatabaseFacade database) => ReplicaSnapshot.Begin(RouterOfOneShard(database, nameof(BeginReplicaSnapshot)));

    /// <inheritdoc cref="BeginReplicaSnapshot" />
    /// <param name="database">The context's <c>Database</c>.</param>
    /// <param name="cancellationToken">Ends the wait for a server.</param>
    public static Task<ReplicaSnapshot> BeginReplicaSnapshotAsync(this DatabaseFacade database, CancellationToken cancellationToken = default) =>
        ReplicaSnapshot.BeginAsync(RouterOfOneShard(database, nameof(BeginReplicaSnapshotAsync)), cancellationToken);

    /// <summary>Returns where the context's newest command ran, why, and how old its data may have been.</summary>
    /// <param name="database">The context's <c>Database</c>.</param>
    /// <returns>The decision; <see langword="null"/> before the first command.</returns>
    /// <remarks>Of a query over several shards it names all of them, and the node and the bound of the part whose data may be the oldest.</remarks>
    /// <exception cref="InvalidOperationException">The context uses neither read replicas nor a query cache.</exception>
    public static RoutingDecision? LastRouting(this DatabaseFacade database) => Router(database, nameof(LastRouting)).LastDecision;

    /// <summary>Returns the map by which keys find their shards at present.</summary>
    /// <param name="database">The context's <c>Database</c>.</param>
    /// <param name="name">The name of the map; <see langword="null"/> for the one without a name.</param>
    /// <returns>The map, which never changes: another placement is another map, with a higher version.</returns>
    /// <exception cref="InvalidOperationException">The context has no shards, or its model has no such map.</exception>
    public static ShardMap GetShardMap(this DatabaseFacade database, string? name = null)
    {
        var shards = FindRouter(database)?.Shards
            ?? throw new InvalidOperationException($"{nameof(GetShardMap)} was called on a context without shards. Call UseSharding(...) on its options, after UseNpgsql().");
        return shards.Database.Picture.Maps.TryGetValue(name ?? string.Empty, out var map)
            ? map
            : throw new InvalidOperationException(
                $"{nameof(GetShardMap)} was asked for the map '{name}'; the model's are '{string.Join("', '", shards.Database.Picture.Maps.Keys)}'. Name one of them, or mark an entity by IsSharded(key, map: \"{name}\").");
    }

    /// <summary>Says what the application's SQL writes until the scope is disposed, so that it makes no other cached results old.</summary>
    /// <typeparam name="TEntity">The entity whose tables are written, and no others but by the foreign keys that the database knows.</typeparam>
    /// <param name="database">The context's <c>Database</c>.</param>
    /// <returns>The scope. Scopes nest; the innermost wins. Outside any, a statement of <c>ExecuteSql</c> makes all cached results of the database old.</returns>
    /// <exception cref="InvalidOperationException">The context has no query cache, or no such entity.</exception>
    public static IDisposable UseWrittenTables<TEntity>(this DatabaseFacade database)
        where TEntity : class =>
        Writes(database, nameof(UseWrittenTables)).Enter(TablesOf<TEntity>(database));

    /// <summary>Makes every cached result old that reads an entity's tables, as after a write that EF does not see.</summary>
    /// <typeparam name="TEntity">The entity.</typeparam>
    /// <param name="database">The context's <c>Database</c>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <remarks>
    /// Takes effect before the task completes; if the store cannot be reached, in this process at once and in others when it can. A context that spans shards makes
    /// results of all of them old.
    /// </remarks>
    /// <exception cref="InvalidOperationException">The context has no query cache, or no such entity.</exception>
    public static Task InvalidateCacheAsync<TEntity>(this DatabaseFacade database, CancellationToken cancellationToken = default)
        where TEntity : class =>
        InvalidateAsync(database, nameof(InvalidateCacheAsync), TablesOf<TEntity>(database), [], cancellationToken);

    /// <summary>Makes every cached result of the database old, and lets all processes learn its schema anew, as after a migration beside EF.</summary>
    /// <inheritdoc cref="InvalidateCacheAsync{TEntity}" path="/param" />
    /// <inheritdoc cref="InvalidateCacheAsync{TEntity}" path="/remarks" />
    /// <exception cref="InvalidOperationException">The context has no query cache.</exception>
    public static Task InvalidateCacheAsync(this DatabaseFacade database, CancellationToken cancellationToken = default) =>
        InvalidateAsync(database, nameof(InvalidateCacheAsync), null, [], cancellationToken);

    /// <summary>Makes every cached result old whose query was given one of the names by <c>WithCacheTag</c>.</summary>
    /// <param name="database">The context's <c>Database</c>.</param>
    /// <param name="tags">The names.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <inheritdoc cref="InvalidateCacheAsync{TEntity}" path="/remarks" />
    /// <exception cref="InvalidOperationException">The context has no query cache.</exception>
    public static Task InvalidateCacheTagsAsync(this DatabaseFacade database, IReadOnlyList<string> tags, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(tags);
        return InvalidateAsync(database, nameof(InvalidateCacheTagsAsync), [], tags, cancellationToken);
    }

    // On every shard that the context works on: nobody says where the write was.
    private static Task InvalidateAsync(
        DatabaseFacade database, string method, IReadOnlyList<TableName>? tables, IReadOnlyList<string> tags, CancellationToken cancellationToken)
    {
        Writes(database, method);
        var home = Router(database, method);
        return Task.WhenAll((home.Shards?.Routers() ?? [home]).Select(router =>
        {
            router.Session.MadeOld();
            return router.Cache!.Shared.InvalidateAsync(tables, tags, cancellationToken);
        }));
    }

    private static ContextWrites Writes(DatabaseFacade database, string method) =>
        Router(database, method).Writes
        ?? throw new InvalidOperationException($"{method} was called on a context without a query cache. Call UseQueryCache(...) on its options.");

    private static List<TableName> TablesOf<TEntity>(DatabaseFacade database)
    {
        var model = ((IDatabaseFacadeDependenciesAccessor)database).Context.Model;
        var entityType = model.FindEntityType(typeof(TEntity))
            ?? throw new InvalidOperationException($"The entity '{typeof(TEntity).Name}' is not part of the context's model. Name one that is.");
        return
        [
            .. entityType.GetDerivedTypesInclusive().SelectMany(t => t.GetTableMappings()).Select(m => new TableName(m.Table.Schema, m.Table.Name)).Distinct(),
        ];
    }

    // The context's own part of a session, and its snapshots, are those of one database.
    private static ReadRouter RouterOfOneShard(DatabaseFacade database, string method)
    {
        var router = Router(database, method);
        return router.Shards is { IsBound: false }
            ? throw new InvalidOperationException(
                $"{method} was called on a context that spans all shards. Begin a ConsistencySession around the context, whose token is about all of them, or create a context of one shard by CreateDbContext(key).")
            : router;
    }

    private static ConsistencyToken WithMaps(ReadRouter router, ConsistencyToken token) => router.Shards is { } shards ? token.Merge(shards.Maps.Token) : token;

    private static ReadRouter Router(DatabaseFacade database, string method) =>
        FindRouter(database) ?? throw new InvalidOperationException($"{method} was called on a context without read replicas. Call UseReadReplicas(...) on its options.");

    private static ReadRouter? FindRouter(DatabaseFacade database) => ((IInfrastructure<IServiceProvider>)database).Instance.GetService(typeof(ReadRouter)) as ReadRouter;
}
