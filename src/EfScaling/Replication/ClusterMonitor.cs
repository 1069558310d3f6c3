using EfScaling.Consistency;
using EfScaling.Diagnostics;
using EfScaling.Topology;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace EfScaling.Replication;

/// <summary>Keeps the picture of a cluster current by probing its nodes in the background while somebody reads.</summary>
/// <remarks>
/// Thread-safe. It starts at the first read and pauses when none has come for ten seconds, closing its connections; it never makes a read wait.
/// In each round the primary is probed first and the replicas right after it, which keeps the staleness bounds as tight as the replication itself.
/// </remarks>
internal sealed class ClusterMonitor(IReadOnlyList<Node> nodes, ClusterPicture picture, FreshnessGate gate, ReplicaOptions options, TimeProvider clock, Random random, ILogger logger)
{
    private static readonly TimeSpan _pauseAfter = TimeSpan.FromSeconds(10);

    // A refused login stays refused until somebody acts; asking four times a second would only fill the server's log and lock accounts.
    private static readonly TimeSpan _refusedLoginInterval = TimeSpan.FromSeconds(30);

    // Part of the interval by which rounds are spread, so that the processes of an application do not probe in step.
    private const double Jitter = 0.1;

    private readonly Task[] _underWay = [.. nodes.Select(_ => Task.CompletedTask)];
    private readonly bool[] _isServing = new bool[nodes.Count];
    private readonly string?[] _complaint = new string?[nodes.Count];
    private readonly Moment[] _notBefore = [.. nodes.Select(_ => Moment.Never)];
    private long _lastUse;
    private int _isRunning;

    /// <summary>Notes that somebody reads, and starts the probing if it pauses.</summary>
    public void Touch(Moment now)
    {
        Volatile.Write(ref _lastUse, now.Timestamp);
        if (Volatile.Read(ref _isRunning) == 0 && Interlocked.CompareExchange(ref _isRunning, 1, 0) == 0)
        {
            Start();
        }
    }

    // Unsafe: the monitor outlives the read that starts it and must not keep that read's async-local values alive.
    private void Start() => ThreadPool.UnsafeQueueUserWorkItem(static monitor => _ = monitor.RunAsync(), this, preferLocal: false);

    private async Task RunAsync()
    {
        var names = string.Join(", ", nodes);
        var probes = nodes.Select(n => new ReplicaProbe(n, clock)).ToArray();
        using var pause = new CancellationTokenSource();
        try
        {
            logger.MonitorStarted(names, options.ProbeInterval.TotalSeconds);
            while (new Moment(Volatile.Read(ref _lastUse)).Until(Moment.Now(clock), clock) < _pauseAfter)
            {
                await ProbeRoundAsync(probes, pause.Token).ConfigureAwait(false);
                var spread = 1 + (Jitter * ((2 * random.NextDouble()) - 1));
                await Task.Delay(options.ProbeInterval * spread, clock).ConfigureAwait(false);
            }
        }
        finally
        {
            // Whatever went wrong, a logger that throws not excepted: the next read must be able to start the monitor again.
            try
            {
                await pause.CancelAsync().ConfigureAwait(false);
                await Task.WhenAll(_underWay).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                foreach (var probe in probes)
                {
                    await probe.DisposeAsync().ConfigureAwait(false);
                }

                // Disposing only returns a connection to its pool, where it would count against the server's limit for minutes.
                foreach (var node in nodes.Where(n => n.ProbeSource != n.DataSource))
                {
                    node.ProbeSource.Clear();
                }

                logger.MonitorPaused(names);
            }
            finally
            {
                picture.Forget();
                Array.Clear(_isServing);
                Volatile.Write(ref _isRunning, 0);
            }
        }

        // A read that came while the monitor wound down found it running.
        var now = Moment.Now(clock);
        if (new Moment(Volatile.Read(ref _lastUse)).Until(now, clock) < _pauseAfter)
        {
            Touch(now);
        }
    }

    // A node that hangs must not hold up the others: the round waits for the primary only as long as it answers promptly, and skips nodes whose
    // previous probe is still under way.
    private async Task ProbeRoundAsync(ReplicaProbe[] probes, CancellationToken cancellationToken)
    {
        var primary = picture.Current.Primary?.Node.Ordinal ?? 0;
        Begin(probes, primary, cancellationToken);
        await Task.WhenAny(_underWay[primary], Task.Delay(options.ProbeInterval, clock, cancellationToken)).ConfigureAwait(false);
        for (var ordinal = 0; ordinal < nodes.Count; ordinal++)
        {
            if (ordinal != primary)
            {
                Begin(probes, ordinal, cancellationToken);
            }
        }
    }

    private void Begin(ReplicaProbe[] probes, int ordinal, CancellationToken cancellationToken)
    {
        if (_underWay[ordinal].IsCompleted && Moment.Now(clock) >= _notBefore[ordinal])
        {
            _underWay[ordinal] = ProbeAsync(nodes[ordinal], probes[ordinal], cancellationToken);
        }
    }

    private async Task ProbeAsync(Node node, ReplicaProbe probe, CancellationToken cancellationToken)
    {
        try
        {
            var sample = await probe.AskAsync(options.ProbeTimeout, cancellationToken).ConfigureAwait(false);
            ReplicationMeter.RecordProbe(node.Name, sample.SentAt.Until(sample.ReceivedAt, clock));
            var (before, after) = picture.Report(node, sample);
            OnAnswer(before, after);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The monitor pauses; the node did nothing wrong.
        }
#pragma warning disable CA1031 // Whatever a probe meets says that the node cannot be used; the monitor itself must go on.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            if (exception is PostgresException refusal && node.TryWithoutSessionOptions(refusal))
            {
                logger.NodeBehindPooler(node.Name);
                return;
            }

            _notBefore[node.Ordinal] = IsRefusedLogin(exception) ? Moment.Now(clock).Plus(_refusedLoginInterval, clock) : Moment.Never;
            OnFailure(node, NodeError.Describe(exception));
        }
    }

    private void OnAnswer(NodeState before, NodeState after)
    {
        var node = after.Node;
        if (after.VisibleThrough != Moment.Never)
        {
            ReplicationMeter.RecordNodeStaleness(node.Name, after.VisibleThrough.Until(Moment.Now(clock), clock));
        }

        if (before.Sample?.Role == NodeRole.Replica && after.Sample!.Role == NodeRole.Primary)
        {
            // Sessions of a promoted standby stay open; none of them may serve another read.
            node.DataSource.Clear();
        }

        Announce(after, picture.Current);
    }

    private void OnFailure(Node node, string error)
    {
        picture.ReportUnreachable(node, error);
        if (_complaint[node.Ordinal] != error)
        {
            _complaint[node.Ordinal] = error;
            logger.NodeUnreachable(node.Name, error);
        }

        _isServing[node.Ordinal] = false;
    }

    private void Announce(NodeState state, ClusterSnapshot snapshot)
    {
        var node = state.Node;
        var standing = gate.JudgeNode(state, snapshot.Primary, Moment.Now(clock));
        var serves = state.ServingSince != Moment.Never;
        if (serves != _isServing[node.Ordinal])
        {
            _isServing[node.Ordinal] = serves;
            if (serves)
            {
                logger.NodeServes(node.Name);
            }
            else
            {
                logger.NodeDoesNotServe(node.Name, (standing == Freshness.Fresh ? Freshness.TooStale : standing).ToString());
            }
        }

        var complaint = Complaint(state, snapshot, standing);
        if (complaint is not null && complaint != _complaint[node.Ordinal])
        {
            Complain(state, snapshot, standing);
        }

        _complaint[node.Ordinal] = complaint;
    }

    // What an operator must mend; each is logged once, until it changes.
    private static string? Complaint(NodeState state, ClusterSnapshot snapshot, Freshness standing) => standing switch
    {
        Freshness.WrongCluster => nameof(Freshness.WrongCluster),
        Freshness.NotAReplica when state.Node != snapshot.Primary?.Node => nameof(Freshness.NotAReplica),
        _ => state.Node.Ordinal == 0 && state.Sample!.Role == NodeRole.Replica && snapshot.Primary is null ? nameof(NodeRole.Replica) : null,
    };

    private void Complain(NodeState state, ClusterSnapshot snapshot, Freshness standing)
    {
        switch (standing)
        {
            case Freshness.WrongCluster:
                var primary = snapshot.Primary!;
                logger.NodeOfAnotherCluster(state.Node.Name, state.Sample!.Identity.ToString(), primary.Node.Name, primary.Sample!.Identity.ToString());
                break;
            case Freshness.NotAReplica:
                logger.ReplicaIsWritable(state.Node.Name);
                break;
            default:
                logger.PrimaryIsReadOnly(state.Node.Name);
                break;
        }
    }

    private static bool IsRefusedLogin(Exception exception) =>
        exception is PostgresException { SqlState: PostgresErrorCodes.InvalidPassword or PostgresErrorCodes.InvalidAuthorizationSpecification or PostgresErrorCodes.InvalidCatalogName };
}
