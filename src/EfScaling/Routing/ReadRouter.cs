// The options of the provider are only reachable through its internal extension (npgsql/efcore.pg#3063).
#pragma warning disable EF1001

using System.Data;
using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using EfScaling.Caching;
using EfScaling.Consistency;
using EfScaling.Diagnostics;
using EfScaling.Replication;
using EfScaling.Routing.Scatter;
using EfScaling.Routing.Shards;
using EfScaling.Routing.Transactions;
using EfScaling.Sharding;
using EfScaling.Sharding.Catalog;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;
using Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure.Internal;

namespace EfScaling.Routing;

/// <summary>Routes the commands of one context: decides which of them may leave the primary, and remembers where each ran.</summary>
/// <remarks>Not thread-safe, like the context. A pooled context starts each lease with a clean router.</remarks>
internal sealed class ReadRouter(
    IDbContextOptions contextOptions,
    ReplicaOptions options,
    ClusterRegistry registry,
    RelationalConnectionDependencies dependencies,
    QueryCacheOptions? cacheOptions,
    QueryCacheRegistry caches,
    IServiceProvider services,
    ShardDefinition? shard = null,
    IRelationalConnection? connection = null,
    ReadRouter? home = null) : IResettableService, IDisposable, IAsyncDisposable
{
    private IRelationalConnection? _contextConnection;
    private Cluster? _cluster;
    private OwnConnection? _own;
    private ContextSession? _session;
    private RoutedRead? _read;
    private NodeConnections? _connections;
    private ReplicaSnapshot? _snapshot;
    private bool _hasReportedToken;
    private ContextCache? _cache;
    private ContextWrites? _writes;
    private CacheDecision? _uncached;
    private ReadRouter? _elsewhere;

    /// <summary>Gets where the context's newest command ran; <see langword="null"/> before the first.</summary>
    public RoutingDecision? LastDecision
    {
        get => _elsewhere is null ? field : _elsewhere.LastDecision;
        private set => (field, _elsewhere) = (value, null);
    }

    /// <summary>Gets or sets whether the context was created for reading only.</summary>
    public bool IsReadOnly
    {
        get => home?.IsReadOnly ?? field;
        set;
    }

    /// <summary>Gets or sets what finds the shard of a command; <see langword="null"/> without sharding, and for the routers of single shards.</summary>
    public ContextShards? Shards { get; set; }

    /// <summary>Gets the transaction of the application that commands on whatever shard are part of; <see langword="null"/> if there is none.</summary>
    public SpanningTransaction? Spanning => home?.Shards?.Spanning;

    /// <summary>Gets or sets the scope in which shards that do not answer are left out; <see langword="null"/> outside of one.</summary>
    public PartialResults? Partial { get; set; }

    /// <summary>Gets the shard that the router's commands run on; <see langword="null"/> without sharding.</summary>
    public string? ShardName => shard?.Name ?? Shards?.Own;

    /// <summary>Gets or sets the context's turn to load results for the query cache, on whichever shard; it is given back with the context at the latest.</summary>
    public LoadTurn? Turn
    {
        get => home is null ? field : home.Turn;
        set
        {
            if (home is null)
            {
                field = value;
            }
            else
            {
                home.Turn = value;
            }
        }
    }

    /// <summary>Gets or sets what the shard must own for the SaveChanges to come; <see langword="null"/> for nothing.</summary>
    public OwnershipClaim? Claim { get; set; }

    /// <summary>Returns what the shard must own for SaveChanges, to the first command of each of its transactions.</summary>
    /// <param name="connection">The connection that the command runs on. Without a transaction each command is one.</param>
    public OwnershipClaim? ClaimFor(IRelationalConnection connection)
    {
        var claim = Claim;
        if (claim is not null && (connection.CurrentTransaction is not null || OwnConnection.TransactionAround(connection) is not null))
        {
            Claim = null;
        }

        return claim;
    }

    /// <summary>Gets the connection that writes to the cluster.</summary>
    /// <remarks>Kept once it is known: services cannot be asked for while the context is being disposed.</remarks>
    public IRelationalConnection Connection => connection ?? (_contextConnection ??= services.GetRequiredService<IRelationalConnection>());

    /// <summary>Gets the cluster. Found at the first command, not in the constructor: contexts that run none pay nothing.</summary>
    public Cluster Cluster => _cluster ?? Attach();

    /// <summary>Gets what the context's queries ask of the data they are shown.</summary>
    /// <remarks>The same on all shards of a context, whose scopes are about the context.</remarks>
    public ReadTerms Terms { get; } = home?.Terms ?? new(options);

    /// <summary>Gets how the context's own connection stands.</summary>
    public OwnConnection Own => _own ??= new OwnConnection(Cluster, Session);

    /// <summary>Gets whether a replica snapshot of the context is open.</summary>
    public bool IsInSnapshot => _snapshot is not null;

    /// <summary>Gets what the context has written and seen.</summary>
    public ContextSession Session => _session ??= new ContextSession(Cluster) { Closed = () => _writes?.EndConnection() };

    /// <summary>Gets the context's part of the query cache; <see langword="null"/> without one.</summary>
    public ContextCache? Cache => cacheOptions is null ? null : _cache ??= new ContextCache(this, cacheOptions, FindCache());

    /// <summary>Gets what tells the query cache of the context's writes; <see langword="null"/> without one.</summary>
    public ContextWrites? Writes => cacheOptions is null ? null : _writes ??= new ContextWrites(FindCache(), Cluster.Logger);

    /// <summary>Gets the read on its way.</summary>
    public RoutedRead Read => _read ??= new RoutedRead(this, options);

    /// <summary>Returns the router of what runs on a connection.</summary>
    public static ReadRouter Of(IRelationalConnection connection) =>
        connection is ShardConnection shard ? shard.Router : connection.Context.GetService<ReadRouter>();

    /// <summary>Returns a new connection that finds the present primary when it opens; <see langword="null"/> if the provider's own connection will do.</summary>
    public DbConnection? CreatePrimaryConnection(string? connectionString)
    {
        var cluster = Cluster;
        return cluster.PrimarySource is { } source && connectionString is not null && cluster.IsOwn(connectionString) ? source.CreateConnection() : null;
    }

    /// <summary>Watches a connection that EF has just made for the context.</summary>
    public void Watch(DbConnection connection) => Session.Watch(connection, isNew: true);

    /// <summary>Notes a command that is no query.</summary>
    /// <exception cref="InvalidOperationException">The context was created for reading only, and the command may write.</exception>
    public void OnOtherCommand(in RelationalCommandParameterObject command)
    {
        // CanConnect and the like are no writes of the application.
        if (IsReadOnly && command.CommandSource is not (CommandSource.Migrations or CommandSource.Unknown))
        {
            throw ReadOnlyContextInterceptor.Refusal("The command");
        }

        if (_snapshot is not null && command.CommandSource is not (CommandSource.Migrations or CommandSource.Unknown))
        {
            throw SnapshotRefusal("The command writes");
        }

        StayOnPrimary(Own.IsInTransaction(command.Connection) ? RoutingReason.InTransaction : RoutingReason.NotAQuery, command.Connection, onlyReads: false);
    }

    /// <summary>Notes that the query to come was not answered by the cache.</summary>
    public void NoteUncached(CacheDecision decision)
    {
        decision.Record();
        _uncached = decision;
    }

    /// <summary>Notes that a query was answered by the cache.</summary>
    /// <param name="outcome">How.</param>
    /// <param name="name">Of what answered.</param>
    /// <param name="shownBy">A moment by which everything that was shown is committed: the session must not go back behind it.</param>
    /// <param name="age">How long ago the result was known to be right, unless it is now.</param>
    public void NoteCached(CacheOutcome outcome, string name, Moment shownBy, TimeSpan age = default)
    {
        NoteShown(shownBy);
        _uncached = null;
        LastDecision = new RoutingDecision(name, NodeRole.Cache, RoutingReason.Cached, age, Attempts: 0) { Cache = new CacheDecision(outcome), Shard = ShardName };
    }

    /// <summary>Notes that rows of the cluster were shown that did not come over its own connections.</summary>
    /// <param name="shownBy">A moment by which everything that was shown is committed: the session must not go back behind it.</param>
    public void NoteShown(Moment shownBy)
    {
        Session.Own.Read(server: 0, shownBy);
        Session.Ambient?.Read(server: 0, shownBy);
        Cluster.Touch(Moment.Now(Cluster.Clock));
    }

    /// <summary>Returns whether what a reader gives may be kept: it comes from a node that is proven to show all published writes.</summary>
    public bool MayFill(RelationalDataReader reader)
    {
        if (reader.RelationalConnection is NodeConnection)
        {
            return Read.IsFillable;
        }

        // A server that has become a standby since the context was configured says so itself (PostgreSQL 14 and later).
        return reader.DbCommand.Connection is not NpgsqlConnection { PostgresParameters: var reported }
            || !reported.TryGetValue("in_hot_standby", out var isStandby)
            || isStandby != "on";
    }

    /// <summary>Returns whether the newest read failed because no server could be asked, and not because of what it asked.</summary>
    /// <param name="failure">The failure.</param>
    public bool IsUnreachable(Exception failure) =>
        failure is NoEligibleNodeException
        || (LastDecision is { Role: NodeRole.Primary } && ReadFailureClassifier.Classify(failure, Session.WasOpened, isPoolFull: false) == ReadFailure.Node);

    /// <summary>Decides whether a reader command may leave the context's own connection.</summary>
    /// <param name="plan">What translation found out about the query.</param>
    /// <param name="command">How it is run.</param>
    /// <param name="fillSince">
    /// Up to when a node must show everything if its rows are to be kept; <see cref="Moment.Never"/> if they are not. A node that shows less may still serve.
    /// </param>
    /// <returns>The read on its way; <see langword="null"/> if it runs there, which is noted already.</returns>
    public RoutedRead? TryBegin(QueryPlan? plan, in RelationalCommandParameterObject command, Moment fillSince)
    {
        var obstacle = ObstacleOf(plan, command);
        if (_snapshot is not null && obstacle != RoutingReason.PrimaryRequested)
        {
            return InSnapshot(_snapshot, obstacle, command);
        }

        if (obstacle is { } reason)
        {
            _read?.Forget();
            StayOnPrimary(
                reason,
                command.Connection,
                plan?.OnlyReads == true && reason is not (RoutingReason.InTransaction or RoutingReason.ConnectionOpen or RoutingReason.ConnectionChanged));
            return null;
        }

        var now = Moment.Now(Cluster.Clock);
        Session.Settle(now);
        var contract = Terms.ContractOf(plan!.Hints);
        var demand = contract == ReadContract.Session ? Session.Demand() : Demand.None;
        var read = Read;
        read.Begin(
            RequestOf(plan.Hints, demand),
            command.Connection.CommandTimeout,
            onlyReads: plan.Hints.Target != ReadTarget.Replica,
            contract == ReadContract.Session,
            demand.HasWritten,
            now);
        if (demand.NeedsPrimary)
        {
            ReportToken();
            read.Divert(RoutingReason.TokenNotUsable);
        }
        else if (_connections?.InUse is { } inUse)
        {
            read.Join(inUse);
        }
        else
        {
            read.Fill(fillSince);
        }

        return read;
    }

    /// <summary>Begins the read that finds the node of a snapshot.</summary>
    /// <exception cref="InvalidOperationException">A snapshot or a transaction is open already, or the context's connection.</exception>
    public RoutedRead BeginSnapshotRead()
    {
        var own = Connection;
        var obstacle = _snapshot is not null ? "another one is open"
            : Own.IsInTransaction(own) ? "a transaction is open"
            : Own.IsElsewhere(own) ? "the context was given another connection than its options name"
            : Session.IsConnectionOpen ? "the context's connection is open"
            : null;
        if (obstacle is not null)
        {
            throw new InvalidOperationException($"BeginReplicaSnapshot was called while {obstacle}. Begin the snapshot before or after it, or on a context of its own.");
        }

        var now = Moment.Now(Cluster.Clock);
        Session.Settle(now);
        var contract = Terms.ContractOf(default);
        var demand = contract == ReadContract.Session ? Session.Demand() : Demand.None;
        var read = Read;
        read.Begin(RequestOf(default, demand), own.CommandTimeout, onlyReads: true, contract == ReadContract.Session, demand.HasWritten, now);
        if (contract == ReadContract.Primary || demand.NeedsPrimary)
        {
            read.Divert(demand.NeedsPrimary ? RoutingReason.TokenNotUsable : RoutingReason.PrimaryRequested);
        }

        return read;
    }

    /// <summary>Notes that a snapshot has begun.</summary>
    public ReplicaSnapshot Begin(ReplicaSnapshot snapshot) => _snapshot = snapshot;

    /// <summary>Notes that a snapshot ends.</summary>
    /// <returns><see langword="false"/> if it has ended already.</returns>
    public bool TryEnd(ReplicaSnapshot snapshot)
    {
        if (_snapshot != snapshot)
        {
            return false;
        }

        _snapshot = null;
        return true;
    }

    /// <summary>Refuses to write while a snapshot is open.</summary>
    /// <param name="what">What writes.</param>
    /// <exception cref="InvalidOperationException">A snapshot is open.</exception>
    public void RefuseInSnapshot(string what)
    {
        if (_snapshot is not null)
        {
            throw SnapshotRefusal(what);
        }
    }

    /// <summary>Returns the context's connection to a node.</summary>
    public NodeConnection ConnectionTo(Node node) => (_connections ??= new NodeConnections(services, Cluster)).To(node);

    /// <summary>Notes that a command runs on the primary.</summary>
    public void NoteOnPrimary(RoutingReason reason, int attempts = 1) => Note(new RoutingDecision(Cluster.WriterName, NodeRole.Primary, reason, TimeSpan.Zero, attempts));

    /// <summary>Notes that the newest command runs on another shard, whose router tells where.</summary>
    public void NoteElsewhere(ReadRouter shard) => _elsewhere = shard;

    /// <summary>Notes that the newest query was answered from several shards.</summary>
    /// <param name="oldest">Where the part ran whose rows may be the oldest; <see langword="null"/> if no part did.</param>
    /// <param name="shards">The names of all shards that took part.</param>
    public void NoteScatter(RoutingDecision? oldest, IEnumerable<string> shards) => LastDecision = oldest is { } decision ? decision with { Shard = string.Join(", ", shards) } : null;

    /// <summary>Notes that a query runs on the fallback coordinator.</summary>
    public void NoteOnCoordinator(string name)
    {
        LastDecision = new RoutingDecision(name, NodeRole.Coordinator, RoutingReason.FallbackCoordinator, TimeSpan.Zero, Attempts: 1);
        if (ReplicationMeter.CountsCommands)
        {
            ReplicationMeter.CountCommand(name, nameof(NodeRole.Coordinator), nameof(RoutingReason.FallbackCoordinator));
        }
    }

    /// <summary>Notes that a read runs on a replica.</summary>
    public void NoteOnReplica(Node node, RoutingReason reason, TimeSpan staleness, int attempts)
    {
        ReplicationMeter.RecordStaleness(node.Name, staleness);
        Note(new RoutingDecision(node.Name, NodeRole.Replica, reason, staleness, attempts));
    }

    /// <summary>Notes that a read runs where the one runs that it is part of.</summary>
    public void NotePart(Node node) => Note(new RoutingDecision(
        node.Name,
        _snapshot?.Routing.Role ?? NodeRole.Replica,
        _snapshot is null ? RoutingReason.PartOfRead : RoutingReason.Snapshot,
        (_snapshot is null ? LastDecision : _snapshot.Routing)?.StalenessBound ?? TimeSpan.Zero,
        Attempts: 1));

    /// <summary>Says in words where a query would run now, and for each node why it would or would not serve it.</summary>
    public string Explain(RoutedCommand query, in RelationalCommandParameterObject command)
    {
        if (query.Shards is null || Shards is null)
        {
            return Explain(query.Plan, query.Query, command);
        }

        var shards = Shards.Explain(query.Shards, command, query.Plan?.Hints.Shard, query.Scatter, out var router);
        return router is null
            ? shards.TrimEnd('\n')
            : shards + router.Explain(query.Plan, query.Query, ReferenceEquals(router, this) ? command : RoutedCommand.On(router.Connection, command, command.ReaderColumns));
    }

    private string Explain(QueryPlan? plan, CachedQuery? query, in RelationalCommandParameterObject command)
    {
        var routing = Explain(plan, command);
        return Cache?.Explain(query, plan, command) is { } caching ? $"{caching}\n{routing}" : routing;
    }

    private string Explain(QueryPlan? plan, in RelationalCommandParameterObject command)
    {
        var obstacle = ObstacleOf(plan, command);
        var cluster = Cluster;
        if (obstacle is not null)
        {
            return $"primary {cluster.WriterName}: {obstacle}";
        }

        var demand = Terms.ContractOf(plan!.Hints) == ReadContract.Session ? Session.Demand() : Demand.None;
        if (demand.NeedsPrimary)
        {
            return $"primary {cluster.WriterName}: {RoutingReason.TokenNotUsable}";
        }

        var request = RequestOf(plan.Hints, demand);
        var text = new StringBuilder();
        text.Append(System.Globalization.CultureInfo.InvariantCulture, $"replica if one is at most {request.MaxStaleness.TotalSeconds:0.###} s old, else primary {cluster.WriterName}");
        foreach (var (node, reason) in cluster.Explain(request, Moment.Now(cluster.Clock)).OrderBy(r => r.Key, StringComparer.Ordinal))
        {
            text.Append('\n').Append("  ").Append(node).Append(": ").Append(reason);
        }

        return text.ToString();
    }

    /// <inheritdoc />
    public void ResetState()
    {
        _connections?.Reset();
        (connection as IResettableService)?.ResetState();
        Shards?.Reset();
        Forget();
    }

    /// <summary>Gets whether no connection of the router is open and no transaction, so that nothing has to be sent to end the lease of its context.</summary>
    public bool IsIdle =>
        _connections is not { IsIdle: false }
        && (_session?.Connection is null || Connection is { CurrentTransaction: null, DbConnection.State: ConnectionState.Closed })
        && Shards is not { IsIdle: false };

    /// <inheritdoc />
    public Task ResetStateAsync(CancellationToken cancellationToken = default)
    {
        // Mostly everything is closed by now, and each asynchronous method would cost more than what it does.
        if (!IsIdle)
        {
            return ResetOpenAsync(cancellationToken);
        }

        if (connection is null && _session?.Connection is not null)
        {
            NodeConnections.Reset(Connection);
        }

        ResetState();
        return Task.CompletedTask;
    }

    private async Task ResetOpenAsync(CancellationToken cancellationToken)
    {
        if (_connections is not null)
        {
            await _connections.ResetAsync(cancellationToken).ConfigureAwait(false);
        }

        if (_session?.Connection is not null && Connection is IResettableService own)
        {
            await NodeConnections.ResetAsync(own, cancellationToken).ConfigureAwait(false);
        }

        if (Shards is not null)
        {
            await Shards.ResetAsync(cancellationToken).ConfigureAwait(false);
        }

        Forget();
    }

    /// <inheritdoc />
    public void Dispose()
    {
        _writes?.Reset();
        Turn?.Dispose();
        _session?.Unwatch();
        _connections?.Dispose();
        _connections = null;
        connection?.Dispose();
        Shards?.Dispose();
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        _writes?.Reset();
        Turn?.Dispose();
        _session?.Unwatch();
        if (_connections is not null)
        {
            await _connections.DisposeAsync().ConfigureAwait(false);
            _connections = null;
        }

        if (connection is not null)
        {
            await connection.DisposeAsync().ConfigureAwait(false);
        }

        if (Shards is not null)
        {
            await Shards.DisposeAsync().ConfigureAwait(false);
        }
    }

    private QueryCache FindCache()
    {
        var cluster = Cluster;
        return caches.Get(
            cacheOptions!,
            cluster,
            () => cluster.Nodes[0].DataSource,
            cluster.Scope,
            cluster.PoolSize,
            contextOptions.FindExtension<CoreOptionsExtension>()?.ApplicationServiceProvider,
            cluster.Logger);
    }

    [MemberNotNull(nameof(_cluster))]
    private Cluster Attach()
    {
        var provider = contextOptions.FindExtension<NpgsqlOptionsExtension>()!;
        provider = shard?.ProviderFrom(provider) ?? provider;
        var connectionString = provider.ConnectionString is { } named ? dependencies.ConnectionStringResolver.ResolveConnectionString(named) : null;
        _cluster = registry.Get(dependencies.CurrentContext.Context, provider, connectionString, options, options.ClusterName ?? ShardName ?? string.Empty);
        (home ?? this).Shards?.Database.Identities.Learn(ShardName!, _cluster.PrimarySource ?? _cluster.Nodes[0].ProbeSource, _cluster.Logger);
        return _cluster;
    }

    private void StayOnPrimary(RoutingReason reason, IRelationalConnection connection, bool onlyReads)
    {
        // EF makes its connection known when it makes it; one of the application is found here, before the command runs on it.
        Session.Watch(connection.DbConnection, isNew: false);
        if (onlyReads && !Session.IsConnectionOpen)
        {
            Session.BeginRead();
        }
        else
        {
            Session.EndRead();
        }

        NoteOnPrimary(reason);
    }

    // The read-only transaction of the snapshot keeps whatever a query calls from writing.
    private RoutedRead? InSnapshot(ReplicaSnapshot snapshot, RoutingReason? obstacle, in RelationalCommandParameterObject command)
    {
        if (obstacle is RoutingReason.PrimaryOnlyTable or RoutingReason.TrackedRead or RoutingReason.TrackedWithoutToken)
        {
            throw new InvalidOperationException(
                obstacle == RoutingReason.PrimaryOnlyTable
                    ? "A query inside a replica snapshot reads a table that replicas do not have. Call AsPrimary() on it, or run it outside the snapshot."
                    : "A query inside a replica snapshot tracks entities that no concurrency token protects from a change based on old data. Call AsNoTracking() on it.");
        }

        if (command.CommandSource is not (CommandSource.LinqQuery or CommandSource.FromSqlQuery))
        {
            throw SnapshotRefusal("SaveChanges writes");
        }

        var read = Read;
        read.Begin(default, command.Connection.CommandTimeout, onlyReads: true, isSessionRead: false, hasWritten: false, Moment.Now(Cluster.Clock));
        read.Join(snapshot);
        return read;
    }

    private static InvalidOperationException SnapshotRefusal(string what) =>
        new($"{what}, but a replica snapshot of the context is open, which is for reading only. Dispose the snapshot first, or write with another context.");

    private RoutingReason? ObstacleOf(QueryPlan? plan, in RelationalCommandParameterObject command)
    {
        if (options.IsPrimaryAlone)
        {
            return RoutingReason.NoReplicas;
        }

        var inTransaction = Own.IsInTransaction(command.Connection);
        if (plan is null)
        {
            return command.CommandSource switch
            {
                CommandSource.LinqQuery => RoutingReason.NotClassified,
                CommandSource.FromSqlQuery => RoutingReason.RawSql,
                _ => RoutingReason.NotAQuery,
            };
        }

        if (plan.StaysOnPrimary() is { } reason)
        {
            return reason;
        }

        if (Terms.ContractOf(plan.Hints) == ReadContract.Primary || Terms.MaxStalenessOf(plan.Hints) == TimeSpan.Zero)
        {
            return RoutingReason.PrimaryRequested;
        }

        if (inTransaction)
        {
            return RoutingReason.InTransaction;
        }

        if (Own.IsElsewhere(command.Connection))
        {
            return RoutingReason.ConnectionChanged;
        }

        return Session.IsConnectionOpen ? RoutingReason.ConnectionOpen : null;
    }

    private ReadRequest RequestOf(in QueryHints hints, in Demand demand)
    {
        var lastNode = demand.LastServer == 0 ? -1 : Cluster.OrdinalOf(demand.LastServer);

        // A server that was restarted may have gone back, so it is as good as any other.
        var floor = lastNode < 0 ? Moment.Later(demand.Floor, demand.LastRead) : demand.Floor;
        return new ReadRequest(Terms.MaxStalenessOf(hints), floor, lastNode, demand.LastRead, Tried: 0, demand.Position);
    }

    private void ReportToken()
    {
        if (!_hasReportedToken)
        {
            _hasReportedToken = true;
            Cluster.Logger.TokenNotUsable((Session.Ambient ?? Session.Own).Token.ToString());
        }
    }

    private void Note(in RoutingDecision decision)
    {
        // A read that moves on is one command, and what the cache said of it stays.
        LastDecision = decision with { Cache = _uncached ?? (decision.Attempts > 1 ? LastDecision?.Cache : null), Shard = ShardName };
        _uncached = null;
        if (ReplicationMeter.CountsCommands)
        {
            ReplicationMeter.CountCommand(decision.Node, decision.Role.ToString(), decision.Reason.ToString());
        }

        if (!Cluster.Logger.IsEnabled(LogLevel.Debug))
        {
            return;
        }

        if (ShardName is { } name)
        {
            Cluster.Logger.CommandRoutedOnShard(name, decision.Role.ToString(), decision.Node, decision.Reason.ToString(), decision.StalenessBound.TotalSeconds);
        }
        else
        {
            Cluster.Logger.CommandRouted(decision.Role.ToString(), decision.Node, decision.Reason.ToString(), decision.StalenessBound.TotalSeconds);
        }
    }

    private void Forget()
    {
        _snapshot = null;
        Claim = null;
        _uncached = null;
        _hasReportedToken = false;
        _writes?.Reset();
        _read?.Forget();
        _session?.Forget();
        Terms.Forget();
        Turn?.Dispose();
        Turn = null;
        LastDecision = null;
        IsReadOnly = false;
        Partial = null;
    }
}
