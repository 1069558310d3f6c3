using EfScaling.Caching;
using EfScaling.Sample.Feed;
using EfScaling.Sample.Graph;
using EfScaling.Sample.Servers;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Sample.Load;

/// <summary>Many visitors at the same time, and the heartbeat that shows how old their reads are.</summary>
/// <param name="contexts">Gives each visit its context; whatever it uses, the load is the same.</param>
/// <param name="graph">Who is there.</param>
/// <param name="posts">How many posts there were before the load.</param>
/// <param name="workers">How many visitors act at the same time.</param>
/// <param name="setup">What the contexts use.</param>
/// <param name="clock">Measures all times.</param>
internal sealed class MixedLoad(
    IDbContextFactory<FeedContext> contexts, FriendshipGraph graph, int posts, int workers, FeedSetup setup, TimeProvider clock)
{
    private static readonly TimeSpan HeartbeatInterval = TimeSpan.FromMilliseconds(20);

    private static readonly TimeSpan CachePatience = TimeSpan.FromSeconds(20);

    private int _runs;

    /// <summary>Gets the judge of everything this load sees, from its first run on.</summary>
    public ConsistencyChecker Checker { get; } = new(clock);

    /// <summary>Completes when the cache answers.</summary>
    /// <exception cref="SampleException">It does not within 20 seconds.</exception>
    public async Task WaitForCacheAsync(CancellationToken cancellationToken)
    {
        CacheDecision? last = null;
        try
        {
            await Eventually.ThatAsync(
                async () =>
                {
                    await using var context = await contexts.CreateDbContextAsync(cancellationToken);
                    await new SocialFeed(context, isCached: true).ProfileAsync(0, cancellationToken);
                    last = context.Database.LastRouting()?.Cache;
                    return last is { IsHit: true };
                },
                CachePatience, "the cache to answer", cancellationToken);
        }
        catch (TimeoutException exception)
        {
            throw new SampleException($"The cache is not in use ({last}). Name a Redis that answers by {SampleServers.RedisVariable}, or unset it.", exception);
        }
    }

    /// <summary>Makes every cached page old, because others have written: contexts without the cache, which does not learn of their writes.</summary>
    public async Task ForgetPagesAsync(CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await context.Database.InvalidateCacheAsync(cancellationToken);
    }

    /// <summary>Runs the load.</summary>
    /// <param name="measurements">Takes the numbers.</param>
    /// <param name="duration">For how long; <see cref="Timeout.InfiniteTimeSpan"/> until stopped.</param>
    /// <param name="stop">Ends the load at once.</param>
    /// <exception cref="OperationCanceledException">The load was stopped.</exception>
    public async Task RunAsync(Measurements measurements, TimeSpan duration, CancellationToken stop)
    {
        using var time = new CancellationTokenSource(duration, clock);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(time.Token, stop);
        var run = _runs++;
        measurements.Start();
        try
        {
            await Task.WhenAll(Enumerable.Range(0, workers)
                .Select(worker => new Visitor(contexts, graph, posts, setup, (run * 1_000) + worker, Checker, measurements, clock, stop))
                .Select(visitor => Task.Run(() => visitor.VisitAsync(end.Token), CancellationToken.None))
                .Append(Task.Run(() => BeatAsync(end.Token, stop), CancellationToken.None)));
        }
        catch (Exception exception) when (stop.IsCancellationRequested)
        {
            throw new OperationCanceledException("The load was stopped.", exception, stop);
        }
        finally
        {
            measurements.Stop();
        }

        stop.ThrowIfCancellationRequested();
    }

    private async Task BeatAsync(CancellationToken end, CancellationToken stop)
    {
        using var timer = new PeriodicTimer(HeartbeatInterval, clock);
        while (!end.IsCancellationRequested)
        {
            try
            {
                await using var context = await contexts.CreateDbContextAsync(stop);
                var writtenAt = clock.GetTimestamp();
                await new SocialFeed(context, setup == FeedSetup.ReplicasAndCache).BeatAsync(writtenAt, stop);
                Checker.Heartbeats.Acknowledge(writtenAt, clock.GetTimestamp());
                Checker.Wrote(Operation.Heartbeat, setup != FeedSetup.PrimaryAlone ? context.Database.LastRouting() : null);
            }
            catch (Exception exception) when (!stop.IsCancellationRequested)
            {
                Checker.Failed(Operation.Heartbeat, exception.GetBaseException().Message);
            }

            await timer.WaitForNextTickAsync(stop);
        }
    }
}
