// The options of the provider are only reachable through its internal extension (npgsql/efcore.pg#3063).
#pragma warning disable EF1001

using System.Data;
using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using EfScaling.Consistency;
using EfScaling.Diagnostics;
using EfScaling.Replication;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
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
    private DbConnection? _primary;
    private string? _primaryConnectionString;
    private bool _isOwnPrimary;
    private NodeConnection?[]? _connections;
    private NodeConnection? _last;
    private Moment _floor = Moment.Never;
    private bool _sawAmbientTransaction;
    private bool _isDivertedRead;
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

    /// <summary>Watches the context's own connection: whoever closes it, everything it wrote or saw lies before that moment.</summary>
    public void Watch(DbConnection primary)
    {
        Unwatch();
        _primary = primary;
        primary.StateChange += OnPrimaryStateChange;
    }

    /// <summary>Notes a command that is no query.</summary>
    /// <exception cref="InvalidOperationException">The context was created for reading only.</exception>
    public void OnOtherCommand(in RelationalCommandParameterObject command)
    {
        _isDivertedRead = false;
        if (IsReadOnly)
        {
            throw ReadOnlyContextInterceptor.Refusal("The command");
        }

        NoteOnPrimary(InTransaction(command.Connection) ? RoutingReason.InTransaction : RoutingReason.NotAQuery);
    }

    /// <summary>Decides whether a reader command may leave the context's own connection.</summary>
    /// <returns><see langword="false"/> if it runs there, which is noted already.</returns>
    public bool TryBegin(QueryPlan? plan, in RelationalCommandParameterObject command)
    {
        _read = default;
        if (ObstacleOf(plan, command) is { } obstacle)
        {
            _isDivertedRead = false;
            NoteOnPrimary(obstacle);
            return false;
        }

        var cluster = Cluster;
        var now = Moment.Now(cluster.Clock);
        _read.StartedAt = now;
        _read.CommandTimeout = command.Connection.CommandTimeout;
        if (_last is { IsLeased: true })
        {
            _read.Connection = _last;
            _read.IsPinned = true;
            return true;
        }

        if (_sawAmbientTransaction)
        {
            // When exactly the transaction ended is not known; it has by now.
            _sawAmbientTransaction = false;
            _floor = now;
        }

        _read.Request = RequestOf(plan!.Hints);
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
            _isDivertedRead = true;
            NoteOnPrimary(diverted, _read.Attempts);
            return TimeSpan.Zero;
        }

        var choice = cluster.Choose(_read.Request, now);
        if (choice.Node is not { } node)
        {
            return FallBack(choice.Nearest, now);
        }

        var stayed = node.Ordinal == _read.Request.LastNode;
        _read.Connection = _last = ConnectionTo(node);
        _read.Connection.Lease(now, choice.IsTrial, TimeoutOf(now));
        NoteOnReplica(stayed ? RoutingReason.SameReplica : RoutingReason.FreshReplica, choice.VisibleThrough.Until(now, cluster.Clock));
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
        connection.Release();
        if (cancellationToken.IsCancellationRequested)
        {
            // The caller gave up; that says nothing about the node.
            return false;
        }

        var failure = ReadFailureClassifier.Classify(exception, wasOpen, isPoolFull);
        if (failure == ReadFailure.Node)
        {
            Cluster.Ban(connection.Node, Describe(exception));
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

    /// <summary>Waits for the turn of a synchronous read.</summary>
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
            (connection as IResettableService)?.ResetState();
            connection?.Release();
        }

        Forget();
    }

    /// <inheritdoc />
    public async Task ResetStateAsync(CancellationToken cancellationToken = default)
    {
        foreach (var connection in _connections ?? [])
        {
            if (connection is IResettableService resettable)
            {
                await resettable.ResetStateAsync(cancellationToken).ConfigureAwait(false);
                connection.Release();
            }
        }

        if (_primary is not null && services.GetRequiredService<IRelationalConnection>() is IResettableService own)
        {
            // EF's asynchronous reset closes a connection that was left open but goes on counting it as open, so that the next lease would never close
            // it again (RelationalConnection.ResetStateAsync, EF Core 10). The synchronous reset sets the count right; there is nothing left to close.
            await own.ResetStateAsync(cancellationToken).ConfigureAwait(false);
            own.ResetState();
        }

        Forget();
    }

    /// <inheritdoc />
    public void Dispose()
    {
        Unwatch();
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
        Unwatch();
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

    [MemberNotNull(nameof(_cluster))]
    private Cluster Attach()
    {
        var provider = contextOptions.FindExtension<NpgsqlOptionsExtension>()!;
        var connectionString = provider.ConnectionString is { } named ? dependencies.ConnectionStringResolver.ResolveConnectionString(named) : null;
        return _cluster = registry.Get(dependencies.CurrentContext.Context, provider, connectionString, options);
    }

    private RoutingReason? ObstacleOf(QueryPlan? plan, in RelationalCommandParameterObject command)
    {
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

        if (InTransaction(command.Connection))
        {
            return RoutingReason.InTransaction;
        }

        if (IsElsewhere(command.Connection))
        {
            return RoutingReason.ConnectionChanged;
        }

        return _primary is { State: not ConnectionState.Closed } ? RoutingReason.ConnectionOpen : null;
    }

    private bool InTransaction(IRelationalConnection connection)
    {
        if (connection.CurrentTransaction is not null || (connection as ITransactionEnlistmentManager)?.EnlistedTransaction is not null)
        {
            return true;
        }

        if ((connection as ITransactionEnlistmentManager)?.CurrentAmbientTransaction is null)
        {
            return false;
        }

        _sawAmbientTransaction = true;
        return true;
    }

    // SetDbConnection and SetConnectionString may give a context another database, whose replicas nobody named. Asking for the connection creates it,
    // without opening it: there is no other way to learn that the application has set one.
    private bool IsElsewhere(IRelationalConnection connection)
    {
        var primary = connection.DbConnection;
        if (!ReferenceEquals(primary, _primary))
        {
            // What the application did on the connection before is unknown.
            _floor = _primary is null ? _floor : Moment.Now(Cluster.Clock);
            Watch(primary);
            _primaryConnectionString = null;
        }

        var connectionString = primary.ConnectionString;
        if (!ReferenceEquals(connectionString, _primaryConnectionString))
        {
            _primaryConnectionString = connectionString;
            _isOwnPrimary = Cluster.IsOwn(connectionString);
        }

        return !_isOwnPrimary;
    }

    private ReadRequest RequestOf(in QueryHints hints) => new(
        hints.MaxStaleness ?? _scope?.MaxStaleness ?? options.MaxStaleness,
        _floor,
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
        _isDivertedRead = true;
        NoteOnPrimary(
            nearest switch
            {
                Freshness.BehindCaller => RoutingReason.ReadYourWrites,
                Freshness.TooStale or Freshness.Recovering or Freshness.PrimaryUnknown or Freshness.MeasurementTooOld => RoutingReason.ReplicasTooStale,
                Freshness.NeverMeasured => RoutingReason.ReplicasNotMeasured,
                _ => RoutingReason.ReplicasUnavailable,
            },
            _read.Attempts);
        return wait;
    }

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
        if (_read.CommandTimeout is not > 0)
        {
            return limit ?? _read.CommandTimeout;
        }

        var left = Math.Max(1, _read.CommandTimeout.Value - (int)_read.StartedAt.Until(now, Cluster.Clock).TotalSeconds);
        return limit < left ? limit : left;
    }

    private bool IsOverdue() =>
        _read.CommandTimeout is > 0 && _read.StartedAt.Until(Moment.Now(Cluster.Clock), Cluster.Clock).TotalSeconds >= _read.CommandTimeout;

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

    private void OnPrimaryStateChange(object? sender, StateChangeEventArgs change)
    {
        if (change.CurrentState != ConnectionState.Closed)
        {
            return;
        }

        // A query that only came here for want of a replica wrote nothing; were it to raise the floor, a context that reads without pause would never
        // get back to the replicas.
        if (!_isDivertedRead)
        {
            _floor = Moment.Now(Cluster.Clock);
        }

        _isDivertedRead = false;
    }

    private void Unwatch()
    {
        if (_primary is not null)
        {
            _primary.StateChange -= OnPrimaryStateChange;
            _primary = null;
        }
    }

    private void Forget()
    {
        _last = null;
        _floor = Moment.Never;
        _sawAmbientTransaction = false;
        _isDivertedRead = false;
        _scope = null;
        LastDecision = null;
        IsReadOnly = false;
    }

    private static string Describe(Exception exception) => exception.GetBaseException().Message;
}
