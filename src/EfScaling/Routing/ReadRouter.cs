// The options of the provider are only reachable through its internal extension (npgsql/efcore.pg#3063).
#pragma warning disable EF1001

using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Transactions;
using EfScaling.Consistency;
using EfScaling.Diagnostics;
using EfScaling.Replication;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;
using Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure.Internal;

namespace EfScaling.Routing;

/// <summary>Routes the commands of one context: keeps what the context has written and seen, and finds a node for each read.</summary>
/// <remarks>Not thread-safe, like the context. A pooled context starts each lease with a clean router.</remarks>
internal sealed class ReadRouter(
    IDbContextOptions contextOptions,
    ReplicaOptions options,
    ClusterRegistry registry,
    RelationalConnectionDependencies dependencies,
    IServiceProvider services) : IResettableService, IDisposable, IAsyncDisposable
{
    // How long a read waits for its turn in the fallback budget before it fails.
    private static readonly TimeSpan _longestFallbackWait = TimeSpan.FromSeconds(1);

    private Cluster? _cluster;
    private OwnWrites? _ownWrites;
    private string? _ownConnectionString;
    private bool _isOwnDatabase;
    private NodeConnection?[]? _connections;
    private NodeConnection? _last;
    private RoutingScope? _scope;
    private RelationalConnectionDependencies? _nodeDependencies;

    // The read on its way; a context has one at a time. Here rather than in the asynchronous method, where it would be allocated for each read.
    private RoutedRead _read;

    /// <summary>Gets where the context's newest command ran; <see langword="null"/> before the first.</summary>
    public RoutingDecision? LastDecision { get; private set; }

    /// <summary>Gets the connection of the present attempt; <see langword="null"/> for the context's own.</summary>
    public NodeConnection? ReadConnection => _read.Connection;

    /// <summary>Gets whether the present read belongs to one that is under way on <see cref="ReadConnection"/>.</summary>
    public bool IsPartOfRead => _read.IsPinned;

    /// <summary>Gets or sets whether the context was created for reading only.</summary>
    public bool IsReadOnly { get; set; }

    /// <summary>Returns a new connection that finds the present primary when it opens; <see langword="null"/> if the provider's own connection will do.</summary>
    public DbConnection? CreatePrimaryConnection(string? connectionString)
    {
        var cluster = Cluster;
        return cluster.PrimarySource is { } source && connectionString is not null && cluster.IsOwn(connectionString) ? source.CreateConnection() : null;
    }

    /// <summary>Watches a connection that EF has just made for the context.</summary>
    public void Watch(DbConnection connection) => Writes.Watch(connection, isNew: true);

    /// <summary>Notes a command that is no query.</summary>
    /// <exception cref="InvalidOperationException">The context was created for reading only, and the command may write.</exception>
    public void OnOtherCommand(in RelationalCommandParameterObject command)
    {
        // CanConnect and the like are no writes of the application.
        if (IsReadOnly && command.CommandSource is not (CommandSource.Migrations or CommandSource.Unknown))
        {
            throw ReadOnlyContextInterceptor.Refusal("The command");
        }

        StayOnPrimary(InTransaction(command.Connection) ? RoutingReason.InTransaction : RoutingReason.NotAQuery, command.Connection);
    }

    /// <summary>Decides whether a reader command may leave the context's own connection.</summary>
    /// <returns><see langword="false"/> if it runs there, which is noted already.</returns>
    public bool TryBegin(QueryPlan? plan, in RelationalCommandParameterObject command)
    {
        _read = default;
        if (ObstacleOf(plan, command) is { } obstacle)
        {
            StayOnPrimary(obstacle, command.Connection);
            return false;
        }

        var cluster = Cluster;
        var now = Moment.Now(cluster.Clock);
        Writes.Settle(now);
        _read.StartedAt = now;
        _read.CommandTimeout = command.Connection.CommandTimeout;
        _read.OnlyReads = plan!.Hints.Target != ReadTarget.Replica;
        _read.Request = RequestOf(plan.Hints);
        if (_last is { IsLeased: true })
        {
            Join(_last, now);
        }

        return true;
    }

    /// <summary>Finds the node of the next attempt.</summary>
    /// <returns>How long to wait before the attempt, which the fallback budget may ask for.</returns>
    /// <exception cref="NoEligibleNodeException">No node may serve the read.</exception>
    public TimeSpan Next()
    {
        if (_read.IsPinned)
        {
            NoteOnReplica(RoutingReason.PartOfRead, LastDecision?.StalenessBound ?? TimeSpan.Zero);
            return TimeSpan.Zero;
        }

        _read.Attempts++;
        var cluster = Cluster;
        var now = _read.Attempts == 1 ? _read.StartedAt : Moment.Now(cluster.Clock);
        if (_read.Diverted is { } diverted)
        {
            _read.Connection = null;
            NoteOnPrimary(diverted, _read.Attempts);
            return TimeSpan.Zero;
        }

        var choice = cluster.Choose(_read.Request, now);
        if (choice.Node is not { } node)
        {
            return FallBack(choice.Nearest, now);
        }

        var stayed = node.Ordinal == _read.Request.LastNode;
        try
        {
            _read.Connection = _last = ConnectionTo(node);
            _read.Connection.Lease(now, choice.IsTrial, TimeoutOf(now));
        }
        catch when (choice.IsTrial)
        {
            node.EndTrial();
            throw;
        }

        NoteOnReplica(stayed ? RoutingReason.SameReplica : RoutingReason.FreshReplica, StalenessOf(choice.VisibleThrough, now));
        return TimeSpan.Zero;
    }

    /// <summary>Decides after a failed attempt whether another node is asked.</summary>
    public bool MovesOn(Exception exception, CancellationToken cancellationToken)
    {
        if (_read.Connection is not { } connection || _read.IsPinned)
        {
            return false;
        }

        var (wasOpen, isPoolFull) = (connection.WasOpened, connection.Node.InFlight > connection.Node.Traits.MaxConnections);
        connection.Abandon();
        if (cancellationToken.IsCancellationRequested)
        {
            // The caller gave up; that says nothing about the node.
            return false;
        }

        var failure = ReadFailureClassifier.Classify(exception, wasOpen, isPoolFull);
        if (failure == ReadFailure.Node)
        {
            Cluster.Ban(connection.Node, NodeError.Describe(exception));
        }

        if (failure == ReadFailure.Query || IsOverdue())
        {
            return false;
        }

        _read.Diverted = failure switch
        {
            ReadFailure.NeedsPrimary => RoutingReason.NeedsPrimary,
            ReadFailure.SchemaBehind => RoutingReason.ReplicaSchemaBehind,
            _ => null,
        };
        _read.LastFailure = exception;
        _read.Request = _read.Request.AfterTrying(connection.Node.Ordinal);
        ReplicationMeter.CountHop(connection.Node.Name, failure.ToString());
        Cluster.Logger.ReadMovedOn(exception, connection.Node.Name, failure.ToString());
        return true;
    }

    /// <summary>Notes that the read is about to run on the context's own connection.</summary>
    /// <returns>The seconds it may take if other nodes have failed it already; <see langword="null"/> for the whole timeout.</returns>
    public int? BeginOnPrimary()
    {
        if (_read.OnlyReads && _read.Diverted != RoutingReason.NeedsPrimary)
        {
            Writes.BeginDivertedRead();
        }

        return _read.Attempts > 1 ? SecondsLeft(Moment.Now(Cluster.Clock)) : null;
    }

    /// <summary>Notes that the read has failed on the context's own connection.</summary>
    public void FailedOnPrimary() => Writes.EndDivertedRead();

    /// <summary>Waits for the turn of a synchronous read, whose caller has asked to be blocked.</summary>
    public static void Wait(TimeSpan time)
    {
        using var turn = new ManualResetEventSlim();
        turn.Wait(time);
    }

    /// <summary>Waits for the turn of an asynchronous read.</summary>
    public Task WaitAsync(TimeSpan time, CancellationToken cancellationToken) => Task.Delay(time, Cluster.Clock, cancellationToken);

    /// <summary>Opens a scope.</summary>
    public RoutingScope Enter(ReadTarget target, TimeSpan? maxStaleness) => _scope = new RoutingScope(this, _scope, target, maxStaleness);

    /// <summary>Closes a scope and every scope inside it.</summary>
    public void Leave(RoutingScope scope)
    {
        for (var open = _scope; open is not null; open = open.Outer)
        {
            if (open == scope)
            {
                _scope = scope.Outer;
                return;
            }
        }
    }

    /// <summary>Says in words where a query would run now, and for each node why it would or would not serve it.</summary>
    public string Explain(QueryPlan? plan, in RelationalCommandParameterObject command)
    {
        var obstacle = ObstacleOf(plan, command);
        var cluster = Cluster;
        if (obstacle is not null)
        {
            return $"primary {cluster.WriterName}: {obstacle}";
        }

        var request = RequestOf(plan!.Hints);
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
        foreach (var connection in _connections ?? [])
        {
            connection?.Abandon();
        }

        Forget();
    }

    /// <inheritdoc />
    public async Task ResetStateAsync(CancellationToken cancellationToken = default)
    {
        foreach (var connection in _connections ?? [])
        {
            if (connection is not null)
            {
                await ResetAsync(connection, cancellationToken).ConfigureAwait(false);
            }
        }

        if (_ownWrites?.Connection is not null && services.GetRequiredService<IRelationalConnection>() is IResettableService own)
        {
            await ResetAsync(own, cancellationToken).ConfigureAwait(false);
        }

        Forget();
    }

    /// <inheritdoc />
    public void Dispose()
    {
        _ownWrites?.Unwatch();
        foreach (var connection in _connections ?? [])
        {
            connection?.Dispose();
            connection?.Release();
        }

        _connections = null;
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        _ownWrites?.Unwatch();
        foreach (var connection in _connections ?? [])
        {
            if (connection is not null)
            {
                await connection.DisposeAsync().ConfigureAwait(false);
                connection.Release();
            }
        }

        _connections = null;
    }

    // Found at the first command, not in the constructor: contexts that run none pay nothing.
    private Cluster Cluster => _cluster ?? Attach();

    private OwnWrites Writes => _ownWrites ??= new OwnWrites(Cluster.Clock);

    // EF's asynchronous reset closes a connection that was left open but goes on counting it as open, so that the next lease would never close it again
    // (RelationalConnection.ResetStateAsync, EF Core 10). The synchronous reset sets the count right; there is nothing left to close.
    private static async Task ResetAsync(IResettableService connection, CancellationToken cancellationToken)
    {
        await connection.ResetStateAsync(cancellationToken).ConfigureAwait(false);
        connection.ResetState();
    }

    [MemberNotNull(nameof(_cluster))]
    private Cluster Attach()
    {
        var provider = contextOptions.FindExtension<NpgsqlOptionsExtension>()!;
        var connectionString = provider.ConnectionString is { } named ? dependencies.ConnectionStringResolver.ResolveConnectionString(named) : null;
        return _cluster = registry.Get(dependencies.CurrentContext.Context, provider, connectionString, options);
    }

    private void StayOnPrimary(RoutingReason reason, IRelationalConnection connection)
    {
        // EF makes its connection known when it makes it; one of the application is found here, before the command runs on it.
        Writes.Watch(connection.DbConnection, isNew: false);
        Writes.EndDivertedRead();
        NoteOnPrimary(reason);
    }

    // A read that is part of another one stays with it, unless the context has written since or the node may not serve it any more: a buffered outer
    // query leaves its connection leased for as long as the application takes to go through its rows.
    private void Join(NodeConnection connection, Moment now)
    {
        var freshness = Cluster.Judge(connection.Node, _read.Request, now);
        if (_read.Request.Floor > connection.LeasedAt || freshness != Freshness.Fresh)
        {
            _read.Diverted = _read.Request.Floor > connection.LeasedAt ? RoutingReason.ReadYourWrites : ReasonOf(freshness);
            return;
        }

        _read.Connection = connection;
        _read.IsPinned = true;
    }

    private RoutingReason? ObstacleOf(QueryPlan? plan, in RelationalCommandParameterObject command)
    {
        var inTransaction = InTransaction(command.Connection);
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

        // What the query says outweighs what the scope around it says.
        if (plan.Hints.Target == ReadTarget.Default && _scope?.Target == ReadTarget.Primary)
        {
            return RoutingReason.PrimaryRequested;
        }

        if (MaxStalenessOf(plan.Hints) == TimeSpan.Zero)
        {
            return RoutingReason.PrimaryRequested;
        }

        if (inTransaction)
        {
            return RoutingReason.InTransaction;
        }

        if (IsElsewhere(command.Connection))
        {
            return RoutingReason.ConnectionChanged;
        }

        return Writes.IsConnectionOpen ? RoutingReason.ConnectionOpen : null;
    }

    private bool InTransaction(IRelationalConnection connection)
    {
        var manager = connection as ITransactionEnlistmentManager;

        // Npgsql's answer searches the connection string, which costs more than all else here; mostly there is no transaction it could be about.
        var around = manager?.EnlistedTransaction ?? (Transaction.Current is null ? null : manager?.CurrentAmbientTransaction);
        if (around is not null)
        {
            Writes.Note(around);
        }

        return around is not null || connection.CurrentTransaction is not null;
    }

    // SetDbConnection and SetConnectionString may give a context another database, whose replicas nobody named. Asking for the connection creates it,
    // without opening it: there is no other way to learn that the application has set one.
    private bool IsElsewhere(IRelationalConnection connection)
    {
        var own = connection.DbConnection;
        Writes.Watch(own, isNew: false);
        var connectionString = own.ConnectionString;
        if (!ReferenceEquals(connectionString, _ownConnectionString))
        {
            _ownConnectionString = connectionString;
            _isOwnDatabase = Cluster.IsOwn(connectionString);
        }

        return !_isOwnDatabase;
    }

    private TimeSpan MaxStalenessOf(in QueryHints hints) => hints.MaxStaleness ?? _scope?.MaxStaleness ?? options.MaxStaleness;

    private ReadRequest RequestOf(in QueryHints hints) => new(
        MaxStalenessOf(hints),
        Writes.Floor,
        _last?.Node.Ordinal ?? -1,
        _last?.LastReadEnded ?? Moment.Never,
        Tried: 0);

    private TimeSpan FallBack(Freshness nearest, Moment now)
    {
        var cluster = Cluster;
        var wait = TimeSpan.Zero;

        // Only what replicas should have served draws on the budget; a context's read of its own writes was the primary's before there were replicas.
        if (nearest is not (Freshness.BehindCaller or Freshness.NeverMeasured) && !cluster.Fallback.TryTake(now, _longestFallbackWait, out wait))
        {
            ReplicationMeter.CountRefusal();
            cluster.Logger.FallbackBudgetUsedUp(options.FallbackReadsPerSecond);
            throw Refusal(now);
        }

        _read.Connection = null;
        NoteOnPrimary(ReasonOf(nearest), _read.Attempts);
        return wait;
    }

    private static RoutingReason ReasonOf(Freshness nearest) => nearest switch
    {
        Freshness.BehindCaller => RoutingReason.ReadYourWrites,
        Freshness.TooStale or Freshness.Recovering or Freshness.PrimaryUnknown or Freshness.MeasurementTooOld => RoutingReason.ReplicasTooStale,
        Freshness.NeverMeasured => RoutingReason.ReplicasNotMeasured,
        _ => RoutingReason.ReplicasUnavailable,
    };

    private NoEligibleNodeException Refusal(Moment now)
    {
        var reasons = Cluster.Explain(_read.Request, now);
        var nodes = string.Join("; ", reasons.OrderBy(r => r.Key, StringComparer.Ordinal).Select(r => $"'{r.Key}' {r.Value}"));
        return new NoEligibleNodeException(
            $"A read found no replica that may serve it ({nodes}), and the primary's fallback budget of {options.FallbackReadsPerSecond} reads a second is used up. "
            + "Mend the replicas, raise FallbackBudget(...), allow older data with WithMaxStaleness(...), or read the primary with AsPrimary().",
            reasons,
            _read.LastFailure);
    }

    private NodeConnection ConnectionTo(Node node)
    {
        _connections ??= new NodeConnection?[Cluster.Nodes.Count];
        return _connections[node.Ordinal] ??= new NodeConnection(_nodeDependencies ??= NodeConnectionDependencies.Create(services, Cluster), node, Cluster);
    }

    // All attempts together end at the command timeout; Npgsql counts whole seconds.
    private int? TimeoutOf(Moment now)
    {
        var limit = (int?)options.ReadTimeout?.TotalSeconds;
        return _read.Attempts == 1
            ? limit is null || _read.CommandTimeout is > 0 && _read.CommandTimeout < limit ? _read.CommandTimeout : limit
            : SecondsLeft(now) is { } left ? Math.Min(left, limit ?? left) : limit;
    }

    // Without a timeout of the context its connection's counts; zero is no limit.
    private int? SecondsLeft(Moment now)
    {
        var total = _read.CommandTimeout ?? (Writes.Connection as NpgsqlConnection)?.CommandTimeout ?? 0;
        return total == 0 ? null : Math.Max(1, total - (int)_read.StartedAt.Until(now, Cluster.Clock).TotalSeconds);
    }

    private bool IsOverdue()
    {
        var total = _read.CommandTimeout ?? (Writes.Connection as NpgsqlConnection)?.CommandTimeout ?? 0;
        return total > 0 && _read.StartedAt.Until(Moment.Now(Cluster.Clock), Cluster.Clock).TotalSeconds >= total;
    }

    // A probe that was sent after the read began proves that the data is as young as the read itself.
    private TimeSpan StalenessOf(Moment visibleThrough, Moment now) => visibleThrough >= now ? TimeSpan.Zero : visibleThrough.Until(now, Cluster.Clock);

    private void NoteOnPrimary(RoutingReason reason, int attempts = 1) =>
        Note(new RoutingDecision(Cluster.WriterName, NodeRole.Primary, reason, TimeSpan.Zero, attempts));

    private void NoteOnReplica(RoutingReason reason, TimeSpan staleness)
    {
        var name = _read.Connection!.Node.Name;
        ReplicationMeter.RecordStaleness(name, staleness);
        Note(new RoutingDecision(name, NodeRole.Replica, reason, staleness, Math.Max(1, _read.Attempts)));
    }

    private void Note(in RoutingDecision decision)
    {
        LastDecision = decision;
        if (ReplicationMeter.CountsCommands)
        {
            ReplicationMeter.CountCommand(decision.Node, decision.Role.ToString(), decision.Reason.ToString());
        }

        if (Cluster.Logger.IsEnabled(LogLevel.Debug))
        {
            Cluster.Logger.CommandRouted(decision.Role.ToString(), decision.Node, decision.Reason.ToString(), decision.StalenessBound.TotalSeconds);
        }
    }

    private void Forget()
    {
        _last = null;
        _read = default;
        _ownWrites?.Forget();
        _scope = null;
        LastDecision = null;
        IsReadOnly = false;
    }
}
