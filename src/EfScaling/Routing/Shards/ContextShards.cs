using EfScaling.Consistency;
using EfScaling.Diagnostics;
using EfScaling.Replication;
using EfScaling.Routing.Fallback;
using EfScaling.Routing.Scatter;
using EfScaling.Routing.Transactions;
using EfScaling.Sharding;
using EfScaling.Sharding.Catalog;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace EfScaling.Routing.Shards;

/// <summary>Finds for each command of a context the shard that it runs on.</summary>
/// <param name="database">The shards, and what lives where.</param>
/// <param name="bound">The one shard that the context works on; <see langword="null"/> if it spans all of them.</param>
/// <param name="home">The router of the context's own connection, which leads to that shard, or to the default one.</param>
/// <param name="connect">Makes the router of another shard, with a connection of its own.</param>
/// <param name="sourceOf">Returns the connections to the primary of a shard.</param>
/// <param name="createLogger">Makes what refusals are logged by.</param>
/// <param name="recoveries">Finds what settles interrupted transactions.</param>
/// <param name="connectToCoordinator">Makes the connection to the fallback coordinator; <see langword="null"/> if there is none.</param>
/// <remarks>Not thread-safe, like the context. A pooled context keeps the connections, closed, for its next lease.</remarks>
internal sealed class ContextShards(
    ShardedDatabase database,
    string? bound,
    ReadRouter home,
    Func<ShardDefinition, ReadRouter> connect,
    Func<ShardDefinition, NpgsqlDataSource> sourceOf,
    Func<ILogger> createLogger,
    ShardRecoveries recoveries,
    Func<CoordinatorConnection>? connectToCoordinator) : IDisposable, IAsyncDisposable
{
    private readonly ShardResolver _resolver = new(database.DefaultShard);
    private readonly ShardRouters _routers = new(database, bound ?? database.DefaultShard, home, connect);
    private readonly SessionMaps _maps = new(database, home);
    private FallbackCoordinator? _fallback;
    private ShardRecovery? _recovery;
    private SpanningTransaction? _spanning;
    private PositionedTransaction? _ended;
    private bool _isEnding;
    private (string? Transaction, string? Shard) _around;

    /// <summary>Gets the shards, and what lives where.</summary>
    public ShardedDatabase Database => database;

    /// <summary>Gets whether the context works on one shard alone.</summary>
    public bool IsBound => bound is not null;

    /// <summary>Gets the shard that the context's own connection leads to.</summary>
    public string Own => bound ?? database.DefaultShard;

    /// <summary>Gets whether shards check what is read and written there.</summary>
    public bool IsGoverned => database.Catalog is not null;

    /// <summary>Gets the maps that the context goes by, as its session demands.</summary>
    public SessionMaps Maps => _maps;

    /// <summary>Gets the maps of the next command.</summary>
    public ShardPicture Picture => _maps.Picture;

    /// <summary>Gets whether a replica snapshot of the context is open.</summary>
    public bool IsInSnapshot => home.IsInSnapshot;

    /// <summary>Gets the clock.</summary>
    public TimeProvider Clock => home.Cluster.Clock;

    /// <summary>Gets what takes the events of the context.</summary>
    public ILogger Logger => createLogger();

    /// <summary>Gets what answers queries that the shards cannot answer together; <see langword="null"/> if such are refused.</summary>
    public FallbackCoordinator? Fallback => _fallback ??= connectToCoordinator is null || bound is not null ? null : new FallbackCoordinator(this, home, connectToCoordinator);

    /// <summary>Gets what settles the interrupted transactions of all shards.</summary>
    public ShardRecovery Recovery => _recovery ??= recoveries.Get(database, CreateRecovery);

    /// <summary>Gets or sets whether a write is under way that begins and ends transactions of its own on several shards.</summary>
    public bool IsWriting { get; set; }

    /// <summary>Gets the transaction that the application has begun on the context and that commands on whatever shard are part of; <see langword="null"/> if there is none.</summary>
    public SpanningTransaction? Spanning =>
        _isEnding || bound is not null || IsWriting || home.Connection.CurrentTransaction is not PositionedTransaction { IsOwned: true } transaction || transaction == _ended ? null
            : _spanning is { } known && known.Home == transaction ? known
            : _spanning = new SpanningTransaction(this, transaction);

    /// <summary>Returns what takes part in a transaction beside the context's own shard; <see langword="null"/> if nothing does.</summary>
    public SpanningTransaction? SpanningOf(PositionedTransaction transaction) => _spanning is { IsAlone: false } known && known.Home == transaction ? known : null;

    /// <summary>Notes that a transaction ends. No other begins in its place: EF would end that of the context's own connection, too, when it closes the connection to another shard.</summary>
    public void EndSpanning(SpanningTransaction transaction)
    {
        if (_spanning == transaction)
        {
            (_spanning, _ended) = (null, transaction.Home);
        }
    }

    /// <summary>Notes that a transaction could not be committed, and refuses what would go on with it, until the application ends it.</summary>
    public void KeepSpanning(SpanningTransaction transaction) => (_spanning, _ended) = (transaction, null);

    /// <summary>Refuses what would be part of a transaction of the application whose own connection is lost.</summary>
    /// <remarks>EF would open a new one in its place, and run what follows outside of the transaction.</remarks>
    /// <exception cref="InvalidOperationException">It is.</exception>
    public void RefuseLost()
    {
        if (bound is null && home.Connection.CurrentTransaction is PositionedTransaction { IsOwned: true } && home.Connection.DbConnection.State != System.Data.ConnectionState.Open)
        {
            throw ShardConnection.Lost(Own);
        }
    }

    /// <summary>Returns the router of the shard that a query or a set-based write concerns.</summary>
    /// <param name="plan">What its SQL says.</param>
    /// <param name="command">How it is run.</param>
    /// <param name="named">The shard that the application says it runs on; <see langword="null"/> if it says nothing.</param>
    /// <param name="claim">What the shard must own for that; <see langword="null"/> if nothing, or without a catalog.</param>
    /// <exception cref="CrossShardException">There are several, or it is not certain which, or it is not the one that the context is bound to or that is named.</exception>
    /// <exception cref="InvalidOperationException">Two shards are the same database.</exception>
    public ReadRouter RouterFor(ShardPlan plan, in RelationalCommandParameterObject command, string? named, out OwnershipClaim? claim) =>
        FindRouter(plan, command, named, mayScatter: false, out claim)!;

    /// <inheritdoc cref="RouterFor(ShardPlan, in RelationalCommandParameterObject, string?, out OwnershipClaim?)" />
    /// <param name="mayScatter">Whether the command can be answered from several shards.</param>
    /// <returns><see langword="null"/> if it is to be.</returns>
#pragma warning disable CS1573 // The other parameters are those of the method above.
    public ReadRouter? FindRouter(ShardPlan plan, in RelationalCommandParameterObject command, string? named, bool mayScatter, out OwnershipClaim? claim)
#pragma warning restore CS1573
    {
        RefuseFault();

        // A command without a sharded table looks nothing up, and must not load the maps for it.
        var picture = plan.NeedsOwnership ? Picture : database.Configured;
        claim = plan.NeedsOwnership && IsGoverned ? new OwnershipClaim(picture, Own) : null;
        if (claim is not null)
        {
            _maps.Note(picture);
        }

        if (named is not null)
        {
            return RouterOf(named, plan, command, picture, claim);
        }

        if (plan.ChangedKey is { } key)
        {
            throw Refusal(
                CrossShardReason.ShardKeyChanged,
                $"ExecuteUpdate changes the shard key {key}, and rows with another key may belong to another shard. Delete the rows and add them with the new key.", []);
        }

        var choice = Choose(picture, plan, command, claim);
        if (claim is not null && choice.Single is { } owner)
        {
            claim.Shard = owner;
        }

        if (choice is { Single: null, Several: null } && (bound is not null || choice.Unknown is null))
        {
            // To a context of one shard, a query that names no key means the rows there.
            return home;
        }

        if (bound is not null)
        {
            return choice.Single == bound ? home : throw Outside("A query", choice.Several ?? [choice.Single!]);
        }

        return choice is { Single: { } shard, Unknown: null } ? RouterOf(shard, command.Connection)
            : mayScatter ? null
            : choice is { Several: { } several, Unknown: null }
                ? throw Refusal(
                    CrossShardReason.SeveralShards,
                    $"A query concerns the shards {Names(several)}, and only queries of one shard can be answered. Ask for one key at a time, or query each shard by ForEachShardAsync(...).",
                    several)
                : throw Refusal(
                    plan.Opaque is null ? CrossShardReason.NoShardKey : CrossShardReason.NotUnderstood,
                    $"A query could concern every shard: {choice.Unknown}. Compare the shard key with a value, as in Where(x => x.Key == key), or query each shard by ForEachShardAsync(...).",
                    []);
    }

    /// <summary>Finds the shards that a command concerns.</summary>
    /// <param name="picture">The maps.</param>
    /// <param name="plan">What its SQL says.</param>
    /// <param name="command">How it is run.</param>
    /// <param name="claim">Takes what the shard must own; <see langword="null"/> if nobody asks.</param>
    public ShardChoice Choose(ShardPicture picture, ShardPlan plan, in RelationalCommandParameterObject command, OwnershipClaim? claim = null) =>
        _resolver.Resolve(picture, plan, command.ParameterValues ?? new Dictionary<string, object?>(), claim);

    /// <summary>Returns whether a command writes a reference table on every shard.</summary>
    public bool WritesCopies(ShardPlan? plan) => plan?.CopiedTable is not null && database.Options.Shards.Length > 1;

    /// <summary>Returns what writes rows of reference tables on every shard.</summary>
    /// <param name="own">The context's own connection.</param>
    /// <exception cref="CrossShardException">A transaction around the context is open, or the context is bound to a shard.</exception>
    public DistributedWrite CopiesFor(IRelationalConnection own) => WriteFor([.. database.Options.Shards.Select(s => s.Name)], own, writesCopies: true, writesOthers: false);

    /// <summary>Returns what writes on several shards in one transaction.</summary>
    /// <param name="concerned">The shards, at least one.</param>
    /// <param name="own">The context's own connection.</param>
    /// <param name="writesCopies">Whether rows of reference tables are among what is written; then all shards are concerned.</param>
    /// <param name="writesOthers">Whether rows of other tables are.</param>
    /// <exception cref="CrossShardException">A transaction around the context is open, or the context is bound to a shard.</exception>
    public DistributedWrite WriteFor(IReadOnlyList<string> concerned, IRelationalConnection own, bool writesCopies = false, bool writesOthers = true)
    {
        RefuseFault();

        // The same in every process, in whatever order its options have them.
        string[] ordered = [.. concerned.Order(StringComparer.Ordinal)];
        if (bound is not null)
        {
            throw writesCopies
                ? Refusal(
                    CrossShardReason.OutsideBoundShard,
                    $"A write of a context that is bound to the shard '{bound}' concerns a reference table, of which every shard has a copy. Write it with a context that spans all shards, CreateDbContext(); or repair this copy alone by ExecuteSql(...).",
                    ordered)
                : Outside("A write", ordered);
        }

        var around = Spanning;
        if ((own.CurrentTransaction is not null && around is null) || OwnConnection.TransactionAround(own) is not null)
        {
            throw Refusal(
                CrossShardReason.OpenTransaction,
                $"A write on the shards {Names(ordered)} was to be part of a transaction around the context, which can be on one shard alone. Begin the transaction by Database.BeginTransaction(), or write before or after it.",
                ordered);
        }

        ReadRouter[] routers = [.. ordered.Select(s => RouterOf(s, own))];
        if (routers.Any(r => !ReferenceEquals(r, home)))
        {
            home.NoteElsewhere(routers.Last(r => !ReferenceEquals(r, home)));
        }

        return new DistributedWrite(this, routers, writesCopies, writesOthers, around);
    }

    /// <summary>Returns the router of the one shard that all of some rows live on.</summary>
    /// <param name="shards">The shards of the rows, at least one.</param>
    /// <param name="connection">The connection that the context would write them on.</param>
    /// <exception cref="CrossShardException">There are several of which a row could be on any, or it is not the one that the context is bound to.</exception>
    public ReadRouter RouterFor(IReadOnlyList<string> shards, IRelationalConnection connection)
    {
        RefuseFault();
        if (bound is not null && shards.Any(s => s != bound))
        {
            throw Outside("SaveChanges", shards);
        }

        if (shards is not [var shard])
        {
            throw Refusal(
                CrossShardReason.SeveralShards,
                $"SaveChanges was asked to write a row that could be on any of the shards {Names(shards)}: it tells its bucket by an id alone, and single keys of the bucket are placed elsewhere. Give the entity its shard key.",
                shards);
        }

        var router = RouterOf(shard, connection);
        if (!ReferenceEquals(router, home))
        {
            home.NoteElsewhere(router);
        }

        return router;
    }

    /// <summary>Returns the refusal of a SaveChanges on several shards that is to have no transaction.</summary>
    /// <param name="concerned">The shards.</param>
    public CrossShardException WithoutTransaction(IReadOnlyList<string> concerned) => Refusal(
        CrossShardReason.SeveralShards,
        $"SaveChanges was asked to write rows of the shards {Names(concerned)} without a transaction. Leave Database.AutoTransactionBehavior at WhenNeeded, so that they are written together; or save the rows of each shard by themselves.",
        concerned);

    /// <summary>Returns the router of a shard, whatever is written there.</summary>
    public ReadRouter RouterOf(string shard) => RouterOf(shard, home.Connection);

    /// <summary>Returns the routers of all shards that the context works on, for what needs no connection to them.</summary>
    public IEnumerable<ReadRouter> Routers() => bound is not null ? [home] : database.Options.Shards.Select(s => _routers.To(s.Name));

    /// <summary>Returns the connections to the present primary of a shard.</summary>
    public NpgsqlDataSource SourceOf(ShardDefinition shard) => _routers.To(shard.Name).Cluster.PrimarySource ?? sourceOf(shard);

    /// <inheritdoc cref="SourceOf(ShardDefinition)" />
    public NpgsqlDataSource SourceOf(string shard) => SourceOf(database.Options.Find(shard)!);

    /// <summary>Says in words which shards a command concerns and which conditions say so.</summary>
    /// <param name="plan">What its SQL says.</param>
    /// <param name="command">How it would be run.</param>
    /// <param name="named">The shard that the application says it runs on; <see langword="null"/> if it says nothing.</param>
    /// <param name="scatter">How it is answered from several shards; <see langword="null"/> if it is no query.</param>
    /// <param name="router">The router of the shard; <see langword="null"/> if there are several, or it would be refused.</param>
    public string Explain(ShardPlan plan, in RelationalCommandParameterObject command, string? named, ScatterPlans? scatter, out ReadRouter? router)
    {
        router = null;
        string outcome;
        try
        {
            router = FindRouter(plan, command, named, mayScatter: scatter is not null, out _);
            outcome = router is null ? new ScatterShards(this, plan, command).Explain(scatter!)
                : named is null ? $"shard {router.ShardName}"
                : $"shard {router.ShardName}, by OnShard";
        }
        catch (Exception refusal) when (refusal is CrossShardException or ShardKeyException)
        {
            outcome = $"refused: {refusal.Message}";
            if (refusal is ShardKeyException)
            {
                return outcome;
            }
        }

        return $"{outcome}\n{ShardExplanation.Of(plan, command.ParameterValues ?? new Dictionary<string, object?>(), plan.NeedsOwnership ? Picture : database.Configured, database.DefaultShard)}";
    }

    /// <summary>Gets whether no connection of the context to another shard is open, so that nothing has to be sent to end its lease.</summary>
    public bool IsIdle => _routers.IsIdle && _fallback is not { IsIdle: false };

    /// <summary>Makes ready for the next lease of a pooled context.</summary>
    public void Reset()
    {
        Forget();
        try
        {
            _routers.Reset();
        }
        finally
        {
            _fallback?.Reset();
        }
    }

    /// <inheritdoc cref="Reset" />
    public async Task ResetAsync(CancellationToken cancellationToken)
    {
        Forget();
        try
        {
            await _routers.ResetAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            if (_fallback is not null)
            {
                await _fallback.ResetAsync(cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <inheritdoc />
    public void Dispose()
    {
        _isEnding = true;
        try
        {
            _routers.Dispose();
        }
        finally
        {
            _fallback?.Dispose();
        }
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        _isEnding = true;
        try
        {
            await _routers.DisposeAsync().ConfigureAwait(false);
        }
        finally
        {
            if (_fallback is not null)
            {
                await _fallback.DisposeAsync().ConfigureAwait(false);
            }
        }
    }

    /// <summary>Writes the names of shards for a message.</summary>
    public static string Names(IReadOnlyList<string> shards) => string.Join(", ", shards.Select(s => $"'{s}'"));

    private void Forget()
    {
        _maps.Forget();
        (_spanning, _ended, _around) = (null, null, default);
    }

    private CrossShardException Outside(string what, IReadOnlyList<string> shards) => Refusal(
        CrossShardReason.OutsideBoundShard,
        $"{what} of a context that is bound to the shard '{bound}' concerns {Names(shards)}. Create a context for the other key by CreateDbContext(key), or one that spans all shards by CreateDbContext().",
        shards);

    private CrossShardException Refusal(CrossShardReason reason, string message, IReadOnlyList<string> shards)
    {
        NoteRefusal(reason, shards);
        return new CrossShardException(reason, message, shards);
    }

    /// <summary>Counts and logs that a command is refused.</summary>
    public void NoteRefusal(CrossShardReason reason, IReadOnlyList<string> shards)
    {
        // A command that is only explained was not refused.
        if (RoutingExplanation.Current is null)
        {
            ShardingMeter.CountRefusal(reason.ToString());
            if (createLogger() is var logger && logger.IsEnabled(LogLevel.Debug))
            {
                logger.CommandRefused(reason.ToString(), shards.Count == 0 ? "any shard" : Names(shards));
            }
        }
    }

    private void RefuseFault()
    {
        if (database.Identities.Fault is { } fault)
        {
            throw new InvalidOperationException(fault);
        }

        RefuseLost();
    }

    private ReadRouter RouterOf(string named, ShardPlan plan, in RelationalCommandParameterObject command, ShardPicture picture, OwnershipClaim? claim)
    {
        if (database.Options.Find(named) is null)
        {
            throw new InvalidOperationException(
                $"OnShard was given '{named}', which is no shard; the shards are {Names([.. database.Options.Shards.Select(s => s.Name)])}. Name one of them, as GetShardMap().ShardOf(key) does.");
        }

        if (bound is not null && bound != named)
        {
            throw Outside("A query with OnShard", [named]);
        }

        var choice = Choose(picture, plan, command, claim);
        if (claim is not null)
        {
            claim.Shard = named;
        }

        IReadOnlyList<string> certain = choice.Several ?? (choice.Single is { } single ? [single] : []);
        return certain.All(s => s == named)
            ? RouterOf(named, command.Connection)
            : throw Refusal(
                CrossShardReason.OutsideNamedShard,
                $"A query was to run on the shard '{named}' by OnShard(...), but concerns {Names(certain)}. Leave OnShard(...) out, or name the shard of the keys.",
                certain);
    }

    /// <summary>Returns the router of a shard for a command.</summary>
    /// <param name="shard">The shard.</param>
    /// <param name="own">The context's own connection.</param>
    /// <exception cref="CrossShardException">A transaction around the context is open on another shard.</exception>
    public ReadRouter RouterOf(string shard, IRelationalConnection own)
    {
        if (OwnConnection.TransactionAround(own) is { } around)
        {
            RefuseSecondShard(shard, around.TransactionInformation.LocalIdentifier);
        }

        if (shard == Own)
        {
            return home;
        }

        // Its connection becomes part of a transaction that the context has begun when it is used.
        if ((own.CurrentTransaction is not null && Spanning is null) || (own as ITransactionEnlistmentManager)?.EnlistedTransaction is not null)
        {
            throw SecondShard(shard, Own);
        }

        // SetCommandTimeout says it to the context's own connection.
        var router = _routers.To(shard);
        router.Connection.CommandTimeout = own.CommandTimeout;
        return router;
    }

    // The driver would commit several in two phases too, but without anything that tells what became of them when the process dies.
    private void RefuseSecondShard(string shard, string around)
    {
        if (_around.Transaction != around)
        {
            _around = (around, shard);
        }
        else if (_around.Shard != shard)
        {
            throw SecondShard(shard, _around.Shard!);
        }
    }

    private CrossShardException SecondShard(string shard, string first) => Refusal(
        CrossShardReason.OpenTransaction,
        $"A command concerns the shard '{shard}' while a transaction around the context is open on '{first}', which can be on one shard alone. Begin the transaction by Database.BeginTransaction(), or on a context of the shard: CreateDbContext(key).",
        [shard]);

    // It outlives the context, and so do the clusters.
    private ShardRecovery CreateRecovery()
    {
        var logger = Logger;
        return new ShardRecovery([.. database.Options.Shards.Select(Recovered)], Clock, logger);

        RecoveredShard Recovered(ShardDefinition shard)
        {
            var router = _routers.To(shard.Name);
            var (cluster, source) = (router.Cluster, sourceOf(shard));
            return new RecoveredShard(shard.Name, () => cluster.PrimarySource ?? source, router.Cache?.Shared);
        }
    }
}
