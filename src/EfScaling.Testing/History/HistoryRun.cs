using EfScaling.Consistency;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Testing.History;

/// <summary>Lets clients work through an application's contexts while the servers of a cluster fail, and checks everything they saw.</summary>
/// <param name="cluster">The servers. They are whole again when the run ends, except for a promotion.</param>
/// <param name="applications">
/// The application; two with different settings stand for two of its processes. The tables of <see cref="HistoryRegister"/> and <see cref="HistoryBoard"/> exist.
/// </param>
/// <param name="options">What the run does.</param>
public sealed class HistoryRun(PostgresCluster cluster, IReadOnlyList<HistoryApplication> applications, HistoryRunOptions options)
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(30);

    private readonly HistoryRecorder _recorder = new();
    private readonly WriteGate _gate = new(options.WritePause);

    /// <summary>
    /// Gets what goes on beside the clients until it is told to end: other faults, or clients in other processes, which add their events. Each completes when
    /// the clients may begin, with what completes when it has ended.
    /// </summary>
    public IReadOnlyList<Func<HistoryRecorder, CancellationToken, Task<Task>>> Companions { get; init; } = [];

    /// <summary>Runs once.</summary>
    /// <returns>What was found.</returns>
    /// <exception cref="TimeoutException">The replicas do not serve at the start, or the servers did not recover.</exception>
    public async Task<HistoryReport> RunAsync(CancellationToken cancellationToken = default)
    {
        HistoryClient[] clients = [.. (options.OwnClients ?? [.. AllClients]).Select(number => new HistoryClient(number, options, applications, _recorder, _gate))];
        await PrepareAsync(cancellationToken).ConfigureAwait(false);

        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var besides = await Task.WhenAll(Companions.Select(c => c(_recorder, end.Token))).ConfigureAwait(false);
        var working = Task.WhenAll(clients.Select(c => Task.Run(() => c.WorkAsync(end.Token), CancellationToken.None)));
        var breaking = BreakAsync(end);
        var watching = options.EndsWithViolation ? WatchAsync(end) : Task.CompletedTask;
        await Task.WhenAll([working, breaking, watching, .. besides]).ConfigureAwait(false);

        cancellationToken.ThrowIfCancellationRequested();
        await Eventually.ThatAsync(ReadAllAsync, _patience, "the primary to show every register", cancellationToken).ConfigureAwait(false);
        var events = _recorder.Events;
        return new HistoryReport(options.Seed, events, _recorder.Failures, HistoryChecker.Check(events, options.CacheLimits));
    }

    /// <summary>Lets the clients of another process of a run work until the end, and complete what they have begun.</summary>
    /// <param name="applications">The application.</param>
    /// <param name="options">What the run does, with <see cref="HistoryRunOptions.OwnClients"/>.</param>
    /// <param name="recorder">Takes the events, on the clock of the run.</param>
    /// <param name="end">Ends the work.</param>
    public static async Task WorkAsync(
        IReadOnlyList<HistoryApplication> applications, HistoryRunOptions options, HistoryRecorder recorder, CancellationToken end)
    {
        ArgumentNullException.ThrowIfNull(options);
        var gate = new WriteGate(options.WritePause);
        var clients = (options.OwnClients ?? [.. Enumerable.Range(1, options.Clients)]).Select(number => new HistoryClient(number, options, applications, recorder, gate));
        await Task.WhenAll(clients.Select(c => Task.Run(() => c.WorkAsync(end), CancellationToken.None))).ConfigureAwait(false);
    }

    private IEnumerable<int> AllClients => Enumerable.Range(1, options.Clients);

    private async Task PrepareAsync(CancellationToken cancellationToken)
    {
        var context = applications[0].CreateContext();
        await using (context.ConfigureAwait(false))
        {
            await context.Set<HistoryRegister>().ExecuteDeleteAsync(cancellationToken).ConfigureAwait(false);
            await context.Set<HistoryBoard>().ExecuteDeleteAsync(cancellationToken).ConfigureAwait(false);
            foreach (var client in AllClients)
            {
                context.Add(new HistoryBoard { Id = client });
                context.AddRange(HistoryClient.RegistersOf(client).Select(id => new HistoryRegister { Id = id, BoardId = client }));
            }

            await context.SaveChangesAsync(cancellationToken).ConfigureAwait(false);
        }

        await cluster.WaitForReplicationAsync(cancellationToken: cancellationToken).ConfigureAwait(false);
        foreach (var application in applications)
        {
            await Eventually.ThatAsync(() => ServesAsync(application), _patience, "a replica to serve", cancellationToken).ConfigureAwait(false);
            await WaitUntilCachingAsync(application, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Waits until the cache of an application answers queries, if it has one.</summary>
    public static async Task WaitUntilCachingAsync(HistoryApplication application, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(application);
        if (application.CachesReads)
        {
            await Eventually.ThatAsync(() => CachesAsync(application), _patience, "the query cache to answer", cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task<bool> CachesAsync(HistoryApplication application)
    {
        var context = application.CreateContext();
        await using (context.ConfigureAwait(false))
        {
            await context.Set<HistoryBoard>().Cacheable().CountAsync().ConfigureAwait(false);
            return context.Database.LastRouting()?.Role == NodeRole.Cache;
        }
    }

    private static async Task<bool> ServesAsync(HistoryApplication application)
    {
        var context = application.CreateContext();
        await using (context.ConfigureAwait(false))
        {
            // On a cluster that never writes a monitor may have nothing to measure by.
            await context.Set<HistoryRegister>().ExecuteUpdateAsync(s => s.SetProperty(r => r.Version, 0)).ConfigureAwait(false);
            await context.Set<HistoryBoard>().WithContract(ReadContract.MaxStaleness).CountAsync().ConfigureAwait(false);
            return context.Database.LastRouting()?.Role == NodeRole.Replica;
        }
    }

    // Ends the work, too: clients need time with the new primary, however long a promotion takes.
    private async Task BreakAsync(CancellationTokenSource end)
    {
        if (!options.Promotes)
        {
            end.CancelAfter(options.Duration);
        }

        try
        {
            var injector = new FaultInjector(cluster, _recorder, _gate, applications.Max(a => a.MaxStaleness));
            var faultsEnd = _recorder.Now + (options.Promotes ? options.Duration * 2 / 3 : options.Duration);
            foreach (var fault in new FaultSchedule(options.Seed, cluster.Standbys.Count, options.Faults).TakeWhile(_ => _recorder.Now < faultsEnd && !end.IsCancellationRequested))
            {
                try
                {
                    await injector.InjectAsync(fault, end.Token).ConfigureAwait(false);
                }
                catch (OperationCanceledException) when (end.IsCancellationRequested)
                {
                    // The fault was mended all the same.
                }
            }

            if (options.Promotes)
            {
                await injector.PromoteAsync().ConfigureAwait(false);
            }
        }
        finally
        {
            if (options.Promotes)
            {
                end.CancelAfter(options.Duration / 3);
            }
        }
    }

    private async Task WatchAsync(CancellationTokenSource end)
    {
        while (!end.IsCancellationRequested)
        {
            await Task.Delay(TimeSpan.FromSeconds(1), end.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

            // A write of another process may be known later than the reads that show it.
            if (HistoryChecker.Check(_recorder.Events, options.CacheLimits).Any(v => HistoryReport.IsBreach(v) && v.Rule != HistoryRule.NothingInvented))
            {
                await end.CancelAsync().ConfigureAwait(false);
            }
        }
    }

    // What was acknowledged must be there in the end.
    private async Task<bool> ReadAllAsync()
    {
        var context = applications[0].CreateContext();
        await using (context.ConfigureAwait(false))
        {
            try
            {
                var started = _recorder.Now;
                var values = await context.Set<HistoryRegister>().AsPrimary().AsNoTracking().ToDictionaryAsync(r => r.Id, r => r.Version).ConfigureAwait(false);
                var routing = context.Database.LastRouting();
                var (ended, command, session) = (_recorder.Now, _recorder.NextCommand(), _recorder.NextSession());
                foreach (var register in AllClients.SelectMany(HistoryClient.RegistersOf))
                {
                    _recorder.Add(new HistoryEvent
                    {
                        Operation = HistoryOperation.Read,
                        How = "final read",
                        Command = command,
                        Session = session,
                        Register = register,
                        Value = values[register],
                        Contract = ReadContract.Primary,
                        Routing = routing,
                        Started = started,
                        Ended = ended,
                    });
                }

                return true;
            }
            catch (Exception exception) when (HistoryClient.IsFailure(exception))
            {
                _recorder.Failed("final read", exception);
                return false;
            }
        }
    }
}
