using EfScaling.Caching.Redis;
using EfScaling.IntegrationTests.Testing;
using EfScaling.Testing;
using static EfScaling.IntegrationTests.Caching.Redis.RedisStores;

namespace EfScaling.IntegrationTests.Caching.Redis;

public sealed class RedisReportTests
{
    [ServerFact]
    public async Task Bumps_by_others_are_reported_and_entries_are_not()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var reader = await ConnectAsync(OptionsOf(redis));
        await using var writer = await ConnectAsync(OptionsOf(redis));
        await reader.ReadAsync(Orders, Lines, Wildcard);
        await Settled(reader);

        await writer.Store.WriteAsync(Entry, new byte[1], TimeSpan.FromMinutes(1), default);
        writer.Store.Bump([Orders, Wildcard], null);

        await reader.IsToldAsync(Orders);
        await reader.IsToldAsync(Wildcard);
        Assert.True(reader.Store.IsReporting);
        Assert.DoesNotContain(Entry, reader.Reports);
        Assert.DoesNotContain(Lines, reader.Reports);
    }

    [ServerFact]
    public async Task A_bump_of_a_version_of_a_kind_seen_before_is_reported_too()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var reader = await ConnectAsync(OptionsOf(redis));
        await reader.ReadAsync(Orders);
        await Settled(reader);

        reader.Run("INCR", Lines);

        await reader.IsToldAsync(Lines);
    }

    [ServerFact]
    public async Task Expiry_eviction_and_a_flush_are_reported()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var reader = await ConnectAsync(OptionsOf(redis));
        await reader.ReadAsync(Orders);
        await Settled(reader);

        reader.Run("PEXPIRE", Orders, "1");
        await reader.IsToldAsync(Orders);

        await reader.ReadAsync(Lines);
        await Settled(reader);
        reader.Run("CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
        reader.Run("CONFIG", "SET", "maxmemory", "1");
        await Eventually.ThatAsync(() => Swallow(() => reader.Run("SET", "x", "y")) && reader.Reports.Contains(Lines), Patience, "an eviction");
        reader.Run("CONFIG", "SET", "maxmemory", "0");

        await reader.ReadAsync(Orders);
        await Settled(reader);
        reader.Run("FLUSHALL");
        await reader.IsToldAsync(null);
    }

    [ServerFact]
    public async Task A_bump_after_a_reading_is_reported_before_the_next_answer_but_one()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var reader = await ConnectAsync(OptionsOf(redis));
        await using var writer = await ConnectAsync(OptionsOf(redis));
        using var stop = new CancellationTokenSource();
        var bumps = Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                await writer.Store.BumpAsync([Orders], null, default);
            }
        });

        // A report follows its bump before the server reads on, so before the answer to what is asked once the answer is there.
        var changes = 0;
        for (var i = 0; i < 300; i++)
        {
            reader.Reports.Clear();
            var first = (await reader.ReadAsync(Orders)).Versions[0];
            var second = (await reader.ReadAsync(Orders)).Versions[0];
            await reader.ReadAsync(Orders);
            if (first != second)
            {
                changes++;
                Assert.Contains(Orders, reader.Reports);
            }
        }

        Assert.True(changes > 0, "No bump came between two readings: the test shows nothing.");
        await stop.CancelAsync();
        await bumps;
        var last = (await reader.ReadAsync(Orders)).Versions[0];
        await Settled(reader);
        Assert.Equal(last, (await reader.ReadAsync(Orders)).Versions[0]);
        Assert.Empty(reader.Reports);
    }

    [ServerFact]
    public async Task A_kind_whose_name_starts_that_of_another_is_reported_as_well()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var reader = await ConnectAsync(OptionsOf(redis));
        await reader.ReadAsync("ab:1");
        await reader.ReadAsync("abc");
        await reader.ReadAsync("a");
        await Settled(reader);

        reader.Run("INCR", "ab:2");
        reader.Run("INCR", "a");

        await reader.IsToldAsync("ab:2");
        await reader.IsToldAsync("a");
        Assert.True(reader.Store.IsReporting);
    }

    [ServerFact]
    public async Task Everything_may_have_changed_when_the_connection_was_lost()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var reader = await ConnectAsync(OptionsOf(redis));
        await reader.ReadAsync(Orders);
        await Settled(reader);

        reader.Run("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
        await reader.IsToldAsync(null);
        await reader.IsUsableAsync();
        await Eventually.ThatAsync(() => reader.Store.IsReporting, Patience, "the store to report again");

        // Without a read in between: what was read before the loss is reported after it.
        reader.Run("INCR", Orders);
        await reader.IsToldAsync(Orders);
    }

    [ServerFact]
    public async Task Reports_nothing_while_the_user_may_not_track()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var admin = await ConnectAsync(OptionsOf(redis));
        admin.Run("ACL", "SETUSER", "app", "on", ">pw", "~*", "+@all", "-client|tracking");
        await using var stores = await ConnectAsync(OptionsOf(redis) with { User = "app", Password = "pw" });

        await stores.ReadAsync(Orders);

        Assert.False(stores.Store.IsReporting);
        Assert.Contains(stores.Events.Events, e => e.Message.Contains("'client|tracking'", StringComparison.Ordinal));
    }

    // Own changes are reported as well; what is asked for in order is answered in order.
    private static async Task Settled(RedisStores stores)
    {
        await stores.ReadAsync();
        await Eventually.ThatAsync(() => stores.Store.IsReporting, Patience, "the store to report");
        stores.Run("PING");
        await stores.ReadAsync();
        stores.Reports.Clear();
    }

    private static bool Swallow(Action action)
    {
        try
        {
            action();
        }
        catch (RedisConnectException)
        {
            // A server without memory refuses once nothing is left to evict.
            return true;
        }

        return true;
    }
}
