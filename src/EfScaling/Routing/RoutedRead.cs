using EfScaling.Consistency;
using EfScaling.Diagnostics;
using EfScaling.Replication;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace EfScaling.Routing;

/// <summary>One read on its way through the nodes, until one has begun to answer it.</summary>
/// <remarks>Not thread-safe. A context has one read on its way at a time, and uses this object for each of them.</remarks>
internal sealed class RoutedRead(ReadRouter router, ReplicaOptions options)
{
    // The first that has WAIT FOR LSN.
    private const int FirstVersionThatWaits = 19;

    // How long a read waits for its turn in the fallback budget before it fails.
    private static readonly TimeSpan _longestFallbackWait = TimeSpan.FromSeconds(1);

    private ReadRequest _request;
    private Moment _startedAt;
    private ReadDeadline _deadline;
    private bool _onlyReads;
    private bool _isSessionRead;
    private bool _hasWritten;
    private bool _isInSnapshot;
    private RoutingReason? _diverted;
    private bool _hasItsTurn;
    private int _attempts;
    private Exception? _lastFailure;
    private ulong _behind;
    private Moment _behindSince;
    private int _rounds;
    private bool _hasAsked;
    private bool _lacksReplica;
    private Moment _ownFloor;
    private bool _wantsFill;
    private TimeSpan _pause;
    private Moment _positionSince;

    /// <summary>Gets whether the node of the present attempt is proven to show what a cached result must.</summary>
    public bool IsFillable => _wantsFill && !IsPart;

    /// <summary>Gets the connection of the present attempt; <see langword="null"/> for the context's own.</summary>
    public NodeConnection? Connection { get; private set; }

    /// <summary>Gets whether the read belongs to one that is under way on <see cref="Connection"/>, so that no other node will do.</summary>
    public bool IsPart { get; private set; }

    /// <summary>Gets what the node of the present attempt must prove to have replayed; <see cref="WalPosition.None"/> for nothing.</summary>
    public WalPosition Guard { get; private set; }

    /// <summary>Gets whether the query needs a guard in front: for the position, or because a pooler may have changed the server since it was checked.</summary>
    /// <remarks>In a snapshot all statements run in one transaction, which a pooler keeps in one session.</remarks>
    public bool IsGuarded => Connection is not null && !_isInSnapshot && ((!IsPart && Guard != WalPosition.None) || Connection.IsPooled);

    /// <summary>Gets the seconds that the present attempt may take on the primary after others have failed; <see langword="null"/> for the whole timeout.</summary>
    public int? SecondsLeft { get; private set; }

    /// <summary>Gets how long the server itself waits for the guard to hold; <see langword="null"/> if it cannot.</summary>
    public TimeSpan? ServerWait => Connection?.ServerVersion.Major >= FirstVersionThatWaits ? options.CatchUpWait : null;

    private Cluster Cluster => router.Cluster;

    private ContextSession Session => router.Session;

    /// <summary>Begins a read.</summary>
    /// <param name="request">What it asks of a node.</param>
    /// <param name="commandTimeout">Seconds that all attempts together may take; zero for no limit, <see langword="null"/> for the data source's default.</param>
    /// <param name="onlyReads">Whether the query certainly only reads; not if the application vouched for it.</param>
    /// <param name="isSessionRead">Whether its session must not go back behind it.</param>
    /// <param name="hasWritten">Whether its session has written.</param>
    /// <param name="now">The present moment.</param>
    public void Begin(in ReadRequest request, int? commandTimeout, bool onlyReads, bool isSessionRead, bool hasWritten, Moment now)
    {
        Forget();
        (_request, _onlyReads, _isSessionRead, _hasWritten, _startedAt) = (request, onlyReads, isSessionRead, hasWritten, now);

        // Without a timeout of the context its connection's counts.
        _deadline = new ReadDeadline(now, commandTimeout, Session.Connection as NpgsqlConnection, options.ReadTimeout, Cluster.Clock);
    }

    /// <summary>Prefers nodes whose rows may be kept. The primary is one while its budget allows; otherwise the rows are read where they may not be kept.</summary>
    /// <param name="since">Up to when they must show everything; <see cref="Moment.Never"/> if nothing is to be kept.</param>
    public void Fill(Moment since)
    {
        if (since == Moment.Never)
        {
            return;
        }

        (_ownFloor, _wantsFill) = (_request.Floor, true);
        _request = _request with { Floor = Moment.Later(_request.Floor, since) };
    }

    /// <summary>Makes the read part of one that is under way, unless the context has written since or the node may not serve it any more.</summary>
    /// <remarks>A buffered outer query leaves its connection leased for as long as the application takes to go through its rows.</remarks>
    public void Join(NodeConnection connection)
    {
        var hasWritten = _request.Floor > connection.LeasedAt || _request.Position > connection.LeasedPosition;
        var freshness = hasWritten ? Freshness.BehindCaller : Cluster.Judge(connection.Node, _request with { Floor = Moment.Never, Position = WalPosition.None }, _startedAt);
        if (freshness != Freshness.Fresh)
        {
            _diverted = ReasonOf(freshness);
            return;
        }

        connection.CommandTimeout = _deadline.ForAttempt(_attempts, _startedAt);
        Connection = connection;
        IsPart = true;
    }

    /// <summary>Makes the read part of a snapshot.</summary>
    public void Join(ReplicaSnapshot snapshot) => (Connection, IsPart, _isInSnapshot) = (snapshot.Connection, true, true);

    /// <summary>Returns the connection of the present attempt for a snapshot, which has one of its own on the primary as well.</summary>
    /// <exception cref="InvalidOperationException">The primary is not known.</exception>
    public NodeConnection ConnectionForSnapshot()
    {
        if (Connection is null)
        {
            Connection = router.ConnectionTo(
                Cluster.Picture.Current.Primary?.Node
                ?? throw new InvalidOperationException("BeginReplicaSnapshot found no replica that may serve, and no server that accepts writes. Try again when the servers can be reached."));
            Connection.Lease(Moment.Now(Cluster.Clock), _request.Position, isTrial: false, _deadline.ForAttempt(_attempts, Moment.Now(Cluster.Clock)));
            Guard = WalPosition.None;
        }

        return Connection;
    }

    /// <summary>Sends the read to the primary.</summary>
    public void Divert(RoutingReason reason) => _diverted = reason;

    /// <summary>Finds the node of the next attempt; may wait for a replica that is behind, or for the primary's turn.</summary>
    /// <returns>Whether it is a replica, whose connection is <see cref="Connection"/>; otherwise the primary's turn has come.</returns>
    /// <exception cref="NoEligibleNodeException">No node may serve the read.</exception>
    public bool TryFindReplica()
    {
        while (true)
        {
            switch (Next())
            {
                case ReadStep.Wait:
                    // Whoever reads synchronously has asked to be blocked.
                    using (var turn = new ManualResetEventSlim())
                    {
                        turn.Wait(_pause);
                    }

                    break;
                case ReadStep.LearnPosition:
                    Cluster.PositionSince(_positionSince);
                    break;
                case var step:
                    return step == ReadStep.RunOnReplica;
            }
        }
    }

    /// <inheritdoc cref="TryFindReplica" />
    public async ValueTask<bool> TryFindReplicaAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            switch (Next())
            {
                case ReadStep.Wait:
                    await Task.Delay(_pause, Cluster.Clock, cancellationToken).ConfigureAwait(false);
                    break;
                case ReadStep.LearnPosition:
                    await Cluster.PositionSinceAsync(_positionSince, cancellationToken).ConfigureAwait(false);
                    break;
                case var step:
                    return step == ReadStep.RunOnReplica;
            }
        }
    }

    /// <summary>Notes that the node of the present attempt has begun to answer.</summary>
    public void Answered()
    {
        if (!IsPart)
        {
            Connection!.Answered(_isSessionRead ? Session.Own : null, _isSessionRead ? Session.Ambient : null);
        }
    }

    /// <summary>Notes that the node of the present attempt could not prove that it is fresh enough, and has not run the query.</summary>
    public void WasBehind()
    {
        var node = Connection!.Node;
        Connection.Abandon();
        _behindSince = _behind == 0 && _rounds == 0 ? Moment.Now(Cluster.Clock) : _behindSince;
        _behind |= 1UL << node.Ordinal;
        _request = _request.AfterTrying(node.Ordinal);
        ReplicationMeter.CountHop(node.Name, nameof(Freshness.BehindCaller));
    }

    /// <summary>Decides after a failed attempt whether another node is asked.</summary>
    public bool MovesOn(Exception exception, CancellationToken cancellationToken)
    {
        if (Connection is not { } connection || IsPart)
        {
            return false;
        }

        var (wasOpen, isPoolFull) = (connection.WasOpened, connection.Node.InFlight > connection.Node.Traits.MaxConnections);
        connection.Abandon();
        if (cancellationToken.IsCancellationRequested || _hasItsTurn)
        {
            // The caller gave up, which says nothing about the node; or it was the primary, the last to be asked.
            return false;
        }

        var failure = ReadFailureClassifier.Classify(exception, wasOpen, isPoolFull);
        if (failure == ReadFailure.Node)
        {
            Cluster.Ban(connection.Node, NodeError.Describe(exception));
        }

        if (failure == ReadFailure.Query || _deadline.IsOver(Moment.Now(Cluster.Clock)))
        {
            return false;
        }

        _diverted = failure switch
        {
            ReadFailure.NeedsPrimary => RoutingReason.NeedsPrimary,
            ReadFailure.SchemaBehind => RoutingReason.ReplicaSchemaBehind,
            ReadFailure.NotOwner => RoutingReason.ReplicaNotOwner,
            _ => null,
        };
        _lastFailure = exception;
        _request = _request.AfterTrying(connection.Node.Ordinal);
        ReplicationMeter.CountHop(connection.Node.Name, failure.ToString());
        Cluster.Logger.ReadMovedOn(exception, connection.Node.Name, failure.ToString());
        return true;
    }

    /// <summary>Notes that the read is about to run on the context's own connection.</summary>
    public void BeginOnPrimary()
    {
        if (_onlyReads && _diverted != RoutingReason.NeedsPrimary)
        {
            Session.BeginRead();
        }

        SecondsLeft = _attempts > 1 ? _deadline.Remaining(Moment.Now(Cluster.Clock)) : null;
    }

    /// <summary>Notes that the context's own connection has begun to answer.</summary>
    public void EndOnPrimary() => SecondsLeft = null;

    /// <summary>Notes that the read has failed on the context's own connection.</summary>
    /// <returns>What to throw instead: with no replica that could serve and a primary that cannot be reached, the reasons of all nodes.</returns>
    public NoEligibleNodeException? FailedOnPrimary(Exception exception)
    {
        SecondsLeft = null;
        Session.EndRead();
        var isStranded = _lacksReplica && ReadFailureClassifier.Classify(exception, wasOpen: Session.IsConnectionOpen, isPoolFull: false) == ReadFailure.Node;

        // A strategy that retries knows the provider's exceptions alone.
        return isStranded && ExecutionStrategy.Current?.RetriesOnFailure != true
            ? Refusal(
                Moment.Now(Cluster.Clock),
                exception,
                $"and the primary '{Cluster.WriterName}' cannot be reached ({NodeError.Describe(exception)}). Mend the servers, or correct their connection strings.")
            : null;
    }

    /// <summary>Forgets the read.</summary>
    public void Forget()
    {
        (Connection, IsPart, Guard, SecondsLeft) = (null, false, WalPosition.None, null);
        (_diverted, _hasItsTurn, _attempts, _lastFailure, _behind, _rounds) = (null, false, 0, null, 0, 0);
        (_hasAsked, _isInSnapshot, _lacksReplica, _wantsFill) = (false, false, false, false);
    }

    private ReadStep Next()
    {
        if (IsPart)
        {
            router.NotePart(Connection!.Node);
            return ReadStep.RunOnReplica;
        }

        if (_hasItsTurn)
        {
            return ReadStep.RunOnPrimary;
        }

        var now = _attempts == 0 && _rounds == 0 && !_hasAsked ? _startedAt : Moment.Now(Cluster.Clock);
        if (_diverted is { } diverted)
        {
            return ToPrimary(diverted);
        }

        var choice = Cluster.Choose(_request, now);
        if (choice.Node is { } node)
        {
            return Run(node, choice, now);
        }

        if (_behind == 0 && choice.Nearest is not (Freshness.BehindCaller or Freshness.TooStale))
        {
            return FallBack(choice.Nearest, now);
        }

        var guarded = Cluster.ChooseGuarded(_request, now);
        return guarded.Node is { } likely
            ? Run(likely, guarded, now)
            : Persevere(guarded.UnknownSince ?? Moment.Never, now) ?? FallBack(_behind == 0 ? choice.Nearest : Freshness.BehindCaller, now);
    }

    private static RoutingReason ReasonOf(Freshness nearest) => nearest switch
    {
        Freshness.BehindCaller => RoutingReason.ReadYourWrites,
        Freshness.TooStale or Freshness.Recovering or Freshness.PrimaryUnknown or Freshness.MeasurementTooOld => RoutingReason.ReplicasTooStale,
        Freshness.NeverMeasured => RoutingReason.ReplicasNotMeasured,
        _ => RoutingReason.ReplicasUnavailable,
    };

    // A replica that is behind may be asked again in a moment; without a position of the primary none can be asked at all.
    private ReadStep? Persevere(Moment unknownSince, Moment now)
    {
        if (unknownSince != Moment.Never && !_hasAsked)
        {
            _hasAsked = true;
            _positionSince = unknownSince;
            return ReadStep.LearnPosition;
        }

        if (_behind == 0 || _wantsFill || Cluster.CatchUp.Pause(_behindSince, ++_rounds, now) is not { } pause)
        {
            return null;
        }

        _request = _request with { Tried = _request.Tried & ~_behind };
        _behind = 0;
        _pause = pause;
        return ReadStep.Wait;
    }

    private ReadStep Run(Node node, in ReplicaChoice choice, Moment now)
    {
        _attempts++;
        var stayed = node.Ordinal == _request.LastNode;
        Guard = choice.Guard;
        try
        {
            var isGuarded = Guard != WalPosition.None;
            router.NoteOnReplica(
                node,
                isGuarded ? RoutingReason.GuardedReplica : stayed ? RoutingReason.SameReplica : RoutingReason.FreshReplica,
                StalenessOf(isGuarded ? Moment.Later(choice.VisibleThrough, Cluster.Picture.VisibleThrough(Guard)) : choice.VisibleThrough, now),
                _attempts);
            Connection = router.ConnectionTo(node);
            Connection.Lease(now, _request.Position, choice.IsTrial, _deadline.ForAttempt(_attempts, now));
        }
        catch when (choice.IsTrial)
        {
            node.EndTrial();
            throw;
        }

        return ReadStep.RunOnReplica;
    }

    private ReadStep FallBack(Freshness nearest, Moment now)
    {
        var cluster = Cluster;
        var wait = TimeSpan.Zero;
        if (_wantsFill && nearest == Freshness.BehindCaller)
        {
            if (cluster.Fallback.TryTake(now, TimeSpan.Zero, out _))
            {
                return ToPrimary(RoutingReason.CacheFill);
            }

            _wantsFill = false;
            _request = _request with { Floor = _ownFloor, Tried = _request.Tried & ~_behind };
            _behind = 0;
            return Next();
        }

        // Only what replicas should have served draws on the budget; a session's read of its own writes was the primary's before there were replicas.
        var isOwnRead = nearest == Freshness.NeverMeasured || (nearest == Freshness.BehindCaller && _hasWritten);
        if (!isOwnRead && !cluster.Fallback.TryTake(now, _longestFallbackWait, out wait))
        {
            ReplicationMeter.CountRefusal();
            cluster.Logger.FallbackBudgetUsedUp(options.FallbackReadsPerSecond);
            throw Refusal(
                now,
                _lastFailure,
                $"and the primary's fallback budget of {options.FallbackReadsPerSecond} reads a second is used up. "
                + "Mend the replicas, raise FallbackBudget(...), allow older data with WithMaxStaleness(...), or read the primary with AsPrimary().");
        }

        _pause = wait;
        _lacksReplica = !isOwnRead;
        var step = ToPrimary(ReasonOf(nearest));
        return wait > TimeSpan.Zero ? ReadStep.Wait : step;
    }

    private ReadStep ToPrimary(RoutingReason reason)
    {
        _attempts++;
        _hasItsTurn = true;
        Connection = null;
        router.NoteOnPrimary(reason, _attempts);
        return ReadStep.RunOnPrimary;
    }

    private NoEligibleNodeException Refusal(Moment now, Exception? cause, string rest)
    {
        var reasons = Cluster.Explain(_request with { Tried = 0 }, now);
        var nodes = string.Join("; ", reasons.OrderBy(r => r.Key, StringComparer.Ordinal).Select(r => $"'{r.Key}' {r.Value}"));
        return new NoEligibleNodeException($"A read found no replica that may serve it ({nodes}), {rest}", reasons, cause);
    }

    // A probe that was sent after the read began proves that the data is as young as the read itself.
    private TimeSpan StalenessOf(Moment visibleThrough, Moment now) => visibleThrough >= now ? TimeSpan.Zero : visibleThrough.Until(now, Cluster.Clock);
}
