using System.Diagnostics;
using EfScaling.Diagnostics;
using EfScaling.IntegrationTests.Testing;
using EfScaling.Testing;
using static EfScaling.IntegrationTests.Caching.Redis.RedisStores;

namespace EfScaling.IntegrationTests.Caching.Redis;

public sealed class RedisOutageTests(ITestOutputHelper output)
{
    // Two cores shared with servers: the limit itself is kept by waits of a thread, but the thread must get to run.
    private static readonly TimeSpan _margin = TimeSpan.FromMilliseconds(250);

    [ServerFact]
    public async Task A_restarted_server_is_another_incarnation()
    {
        await using var redis = await RedisServer.StartAsync(new() { Arguments = ["--appendonly", "yes"] });
        await using var stores = await ConnectAsync(OptionsOf(redis));
        var before = await stores.ReadAsync(Orders);
        stores.Run("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
        await Eventually.ThatAsync(async () => (await stores.Store.ReadAsync(null, [Orders], default)).Failure is null && stores.Events.Count(EfScalingEventId.StoreRecovered) > 0, Patience, "a new connection");
        Assert.Equal(before.Incarnation, (await stores.ReadAsync(Orders)).Incarnation);

        await redis.KillAsync();
        await stores.FailsWithAsync("");
        Assert.False(stores.Store.IsReporting);
        Assert.NotNull(stores.Store.Read(Entry, [Orders]).Failure);
        Assert.False(stores.Store.Bump([Orders], null).IsDone);
        Assert.True(await stores.Store.TryLeaseAsync("efs:{shop}:l:1", TimeSpan.FromMinutes(1), default));
        Assert.Equal(0, await stores.Store.RecoverAsync(Log, default));
        await redis.StartAsync();
        await stores.IsUsableAsync();

        var after = await stores.ReadAsync(Orders);
        Assert.NotEqual(before.Incarnation, after.Incarnation);
        Assert.Equal(before.Versions, after.Versions);
    }

    [ServerFact]
    public async Task A_hanging_server_costs_the_time_limit_a_few_times_and_then_nothing()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var stores = await ConnectAsync(OptionsOf(redis) with { MaxWait = TimeSpan.FromMilliseconds(50) });
        await stores.Store.ReadAsync(Entry, [Orders], default);
        await stores.IsUsableAsync();

        await redis.SuspendAsync();
        var (asked, waited) = (0, 0);
        while (stores.Store.Outage is null)
        {
            var start = Stopwatch.GetTimestamp();
            var failure = asked++ % 2 == 0 ? stores.Store.Read(Entry, [Orders]).Failure : (await stores.Store.ReadAsync(Entry, [Orders], default)).Failure;
            var elapsed = Stopwatch.GetElapsedTime(start);
            output.WriteLine($"{elapsed.TotalMilliseconds:F1} ms: {failure}");
            Assert.NotNull(failure);
            Assert.InRange(elapsed, TimeSpan.Zero, TimeSpan.FromMilliseconds(50) + _margin);
            waited += elapsed >= TimeSpan.FromMilliseconds(45) ? 1 : 0;
        }

        Assert.InRange(waited, 1, 2);
        Assert.False(stores.Store.IsReporting);
        Assert.Null(stores.Reports.Last());
        var many = Stopwatch.GetTimestamp();
        for (var i = 0; i < 1_000; i++)
        {
            Assert.Contains("50 ms", stores.Store.Read(Entry, [Orders]).Failure, StringComparison.Ordinal);
            Assert.False((await stores.Store.BumpAsync([Orders], null, default)).IsDone);
        }

        Assert.InRange(Stopwatch.GetElapsedTime(many), TimeSpan.Zero, _margin);
        await redis.ContinueAsync();
        await stores.IsUsableAsync();
        await stores.ReadAsync(Orders);
        Assert.Equal(1, stores.Events.Count(EfScalingEventId.StoreConnected));
        Assert.NotEqual(0, stores.Events.Count(EfScalingEventId.StoreUnavailable));
        Assert.NotEqual(0, stores.Events.Count(EfScalingEventId.StoreRecovered));
    }

    [ServerFact]
    public async Task A_network_that_hangs_is_noticed_without_any_operation()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var proxy = await TcpProxy.StartAsync(redis.Host, redis.Port);
        await using var stores = await ConnectAsync(OptionsOf(redis) with { Endpoints = [new(proxy.Host, proxy.Port)], ConnectTimeout = TimeSpan.FromMilliseconds(500) });
        await stores.ReadAsync(Orders);
        await Eventually.ThatAsync(() => stores.Store.IsReporting, Patience, "the store to report");

        proxy.HalfOpen();
        var start = Stopwatch.GetTimestamp();
        await Eventually.ThatAsync(() => !stores.Store.IsReporting, Patience, "the silence to be noticed");
        Assert.InRange(Stopwatch.GetElapsedTime(start), TimeSpan.Zero, stores.Options.Heartbeat + _margin);
        await Eventually.ThatAsync(() => stores.Store.Outage is not null, Patience, "the connection to be dropped");

        proxy.Restore();
        await stores.IsUsableAsync();
        await stores.ReadAsync(Orders);
    }

    [ServerFact]
    public async Task A_connection_that_is_cut_is_made_again()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var proxy = await TcpProxy.StartAsync(redis.Host, redis.Port);
        await using var stores = await ConnectAsync(OptionsOf(redis) with { Endpoints = [new(proxy.Host, proxy.Port)] });
        await stores.ReadAsync(Orders);

        await proxy.CutAsync();
        await stores.FailsWithAsync("");
        proxy.Restore();
        await stores.IsUsableAsync();

        await stores.ReadAsync(Orders);
    }

    [ServerFact]
    public async Task A_server_that_is_always_too_slow_is_not_used()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var proxy = await TcpProxy.StartAsync(redis.Host, redis.Port);
        await using var stores = await ConnectAsync(OptionsOf(redis) with { Endpoints = [new(proxy.Host, proxy.Port)], MaxWait = TimeSpan.FromMilliseconds(150) });
        await stores.ReadAsync(Orders);

        proxy.Delay = TimeSpan.FromMilliseconds(120);
        await Eventually.ThatAsync(async () => (await stores.Store.ReadAsync(Entry, [Orders], default)).Failure is not null && stores.Store.Outage is not null, Patience, "an outage");
        await stores.FailsWithAsync("did not answer within 150 ms");

        proxy.Delay = TimeSpan.Zero;
        await stores.IsUsableAsync();
    }

    [ServerFact]
    public async Task Connects_in_the_background_and_does_not_keep_the_first_caller()
    {
        await using var redis = await RedisServer.StartAsync();
        await redis.StopAsync();

        await using var stores = Start(OptionsOf(redis));
        var start = Stopwatch.GetTimestamp();
        Assert.NotNull(stores.Store.Read(Entry, [Orders]).Failure);
        Assert.InRange(Stopwatch.GetElapsedTime(start), TimeSpan.Zero, _margin);
        await stores.FailsWithAsync("cannot be reached");

        await redis.StartAsync();
        await stores.IsUsableAsync();
        await stores.ReadAsync(Orders);
    }
}
