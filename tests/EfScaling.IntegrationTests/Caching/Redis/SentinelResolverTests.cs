using EfScaling.IntegrationTests.Testing;
using EfScaling.Testing;
using static EfScaling.IntegrationTests.Caching.Redis.RedisStores;

namespace EfScaling.IntegrationTests.Caching.Redis;

public sealed class SentinelResolverTests
{
    [ServerFact]
    public async Task Follows_the_master_that_the_first_sentinel_with_an_answer_names()
    {
        await using var first = await RedisServer.StartAsync();
        await using var second = await RedisServer.StartAsync();
        await using var down = await RedisServer.StartAsync();
        await down.StopAsync();
        await using var ignorant = new ScriptedSentinel();
        await using var sentinel = new ScriptedSentinel { Master = first.Port };
        await using var stores = await ConnectAsync(
            OptionsOf(first) with { ServiceName = "mymaster", Endpoints = [new(down.Host, down.Port), new("127.0.0.1", ignorant.Port), new("127.0.0.1", sentinel.Port)] });
        var before = await stores.ReadAsync(Orders);

        sentinel.Master = second.Port;
        await first.KillAsync();
        await Eventually.ThatAsync(
            async () => await stores.Store.ReadAsync(null, [Orders], default) is { Failure: null } reading && reading.Incarnation != before.Incarnation, Patience, "the other master");

        Assert.Equal(before.Versions.Count, (await stores.ReadAsync(Orders)).Versions.Count);
    }

    [ServerFact]
    public async Task Tells_what_each_sentinel_said_when_none_knows_the_master()
    {
        await using var redis = await RedisServer.StartAsync();
        await redis.StopAsync();
        await using var ignorant = new ScriptedSentinel();
        await using var stores = Start(OptionsOf(redis) with { ServiceName = "mymaster", Endpoints = [new(redis.Host, redis.Port), new("127.0.0.1", ignorant.Port)] });

        await stores.FailsWithAsync("no sentinel tells the master of 'mymaster'");
        Assert.Contains("cannot be reached", stores.Store.Outage, StringComparison.Ordinal);
        Assert.Contains("knows no such master", stores.Store.Outage, StringComparison.Ordinal);
    }
}
