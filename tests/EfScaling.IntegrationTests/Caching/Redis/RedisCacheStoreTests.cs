using System.Text;
using EfScaling.Caching;
using EfScaling.Diagnostics;
using EfScaling.IntegrationTests.Testing;
using EfScaling.Testing;
using static EfScaling.IntegrationTests.Caching.Redis.RedisStores;

namespace EfScaling.IntegrationTests.Caching.Redis;

public sealed class RedisCacheStoreTests
{
    private static readonly TimeSpan _minute = TimeSpan.FromMinutes(1);

    [ServerFact]
    public async Task Keeps_entries_and_versions()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var stores = await ConnectAsync(OptionsOf(redis));
        var first = await stores.ReadAsync(Orders, Wildcard);
        Assert.Null(first.Entry);
        Assert.All(first.Versions, v => Assert.InRange(v, 1L << 40, 1L << 52));

        var value = new byte[300_000];
        new Random(1).NextBytes(value);
        Assert.True((await stores.Store.WriteAsync(Entry, value, _minute, default)).IsDone);

        var second = stores.Store.Read(Entry, [Wildcard, Orders]);
        Assert.Equal(value, second.Entry!.Value.ToArray());
        Assert.Equal(first.Versions.Reverse(), second.Versions);
        Assert.Equal(first.Incarnation, second.Incarnation);
        Assert.InRange(stores.Number("PTTL", Entry), 1, 60_000);

        Assert.True((await stores.Store.ProlongAsync(Entry, _minute * 10, default)).IsDone);
        Assert.InRange(stores.Number("PTTL", Entry), 60_001, 600_000);
        Assert.Null(stores.Store.Read(null, [Orders]).Entry);
        Assert.Empty(stores.Store.Read(null, []).Versions);
        Assert.Equal(value, (await stores.ReadAsync()).Entry!.Value.ToArray());
    }

    [ServerFact]
    public async Task An_empty_entry_is_not_a_missing_one()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var stores = await ConnectAsync(OptionsOf(redis));

        await stores.Store.WriteAsync(Entry, ReadOnlyMemory<byte>.Empty, _minute, default);

        Assert.Equal(0, (await stores.ReadAsync()).Entry!.Value.Length);
    }

    [ServerFact]
    public async Task An_entry_is_not_handed_on_while_a_version_is_missing()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var stores = await ConnectAsync(OptionsOf(redis));
        await stores.Store.WriteAsync(Entry, new byte[] { 1 }, _minute, default);
        var orders = (await stores.ReadAsync(Orders)).Versions[0];

        var reading = await stores.ReadAsync(Orders, Lines);

        Assert.Null(reading.Entry);
        Assert.Equal(orders, reading.Versions[0]);
        Assert.NotNull((await stores.ReadAsync(Orders, Lines)).Entry);
    }

    [ServerFact]
    public async Task A_version_that_is_no_number_is_given_a_value()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var stores = await ConnectAsync(OptionsOf(redis));
        stores.Run("SET", Orders, "nonsense");
        stores.Run("RPUSH", Lines, "nonsense");

        var reading = await stores.ReadAsync(Orders, Lines);

        Assert.All(reading.Versions, v => Assert.InRange(v, 1L << 40, 1L << 52));
        stores.Run("SET", Orders, "nonsense");
        Assert.True((await stores.Store.BumpAsync([Orders], null, default)).IsDone);
        Assert.InRange((await stores.ReadAsync(Orders)).Versions[0], 1L << 40, 1L << 52);
    }

    [ServerFact]
    public async Task A_bumped_version_reads_as_it_never_did()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var stores = await ConnectAsync(OptionsOf(redis));
        var seen = new HashSet<long>();
        for (var i = 0; i < 20; i++)
        {
            Assert.True(seen.Add((await stores.ReadAsync(Orders)).Versions[0]));
            Assert.True(i % 2 == 0 ? stores.Store.Bump([Orders, Lines], null).IsDone : (await stores.Store.BumpAsync([Orders], null, default)).IsDone);
            if (i % 5 == 4)
            {
                stores.Run("DEL", Orders);
                Assert.True(stores.Store.Bump([Orders], null).IsDone);
            }
        }

        Assert.InRange(stores.Number("GET", Lines), 1L << 40, 1L << 52);
    }

    [ServerFact]
    public async Task Goes_on_after_the_server_forgot_the_scripts()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var stores = await ConnectAsync(OptionsOf(redis));
        var before = (await stores.ReadAsync(Orders)).Versions[0];

        stores.Run("SCRIPT", "FLUSH");
        Assert.True(stores.Store.Bump([Orders], null).IsDone);
        Assert.Equal(before + 1, (await stores.ReadAsync(Orders)).Versions[0]);

        stores.Run("SCRIPT", "FLUSH");
        stores.Run("DEL", Lines);
        Assert.InRange((await stores.ReadAsync(Lines)).Versions[0], 1L << 40, 1L << 52);
    }

    [ServerFact]
    public async Task A_full_server_still_lets_versions_be_bumped()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var stores = await ConnectAsync(OptionsOf(redis));
        var before = (await stores.ReadAsync(Orders)).Versions[0];
        stores.Run("CONFIG", "SET", "maxmemory", "1");

        Assert.Contains("maxmemory", (await stores.Store.WriteAsync(Entry, new byte[10], _minute, default)).Failure, StringComparison.Ordinal);
        Assert.True(stores.Store.Bump([Orders], null).IsDone);

        stores.Run("CONFIG", "SET", "maxmemory", "0");
        Assert.NotEqual(before, (await stores.ReadAsync(Orders)).Versions[0]);
        Assert.Contains(stores.Events.Events, e => e.Id == EfScalingEventId.StoreRefuses);
    }

    [ServerFact]
    public async Task Only_overdue_intents_are_recovered_and_only_once()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var stores = await ConnectAsync(OptionsOf(redis));
        var before = (await stores.ReadAsync(Orders, Lines, Wildcard)).Versions;
        var dead = new CacheIntent(Log, "dead", [Orders], TimeSpan.FromMilliseconds(1));

        Assert.True((await stores.Store.AnnounceAsync(dead, default)).IsDone);
        Assert.True((await stores.Store.AnnounceAsync(dead with { Versions = [Lines] }, default)).IsDone);
        Assert.True((await stores.Store.AnnounceAsync(new(Log, "alive", [Wildcard], _minute), default)).IsDone);
        var recovered = 0;
        await Eventually.ThatAsync(async () => (recovered += await stores.Store.RecoverAsync(Log, default)) > 0, Patience, "the lease to end");

        Assert.Equal(1, recovered);
        Assert.Equal([before[0] + 1, before[1] + 1, before[2]], (await stores.ReadAsync(Orders, Lines, Wildcard)).Versions);
        Assert.Equal(0, await stores.Store.RecoverAsync(Log, default));
        Assert.Equal(1, stores.Number("ZCARD", Log));
    }

    [ServerFact]
    public async Task A_renewed_intent_is_not_overdue()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var stores = await ConnectAsync(OptionsOf(redis));
        var intent = new CacheIntent(Log, "writer", [Orders], TimeSpan.FromMilliseconds(1));
        await stores.Store.AnnounceAsync(intent, default);
        await stores.Store.AnnounceAsync(intent with { Lease = _minute }, default);

        // The first lease is over once another of its length, taken later, is.
        await stores.Store.AnnounceAsync(intent with { Id = "other" }, default);
        var recovered = 0;
        await Eventually.ThatAsync(async () => (recovered += await stores.Store.RecoverAsync(Log, default)) > 0, Patience, "the lease to end");

        Assert.Equal(1, recovered);
        Assert.Equal(0, await stores.Store.RecoverAsync(Log, default));
    }

    [ServerFact]
    public async Task A_bump_takes_its_intent_back()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var stores = await ConnectAsync(OptionsOf(redis));
        var intent = new CacheIntent(Log, "writer", [Orders], TimeSpan.FromMilliseconds(1));
        await stores.Store.AnnounceAsync(intent, default);
        await stores.Store.AnnounceAsync(intent with { Id = "other" }, default);
        var before = (await stores.ReadAsync(Orders)).Versions[0];

        Assert.True(stores.Store.Bump([Orders], intent).IsDone);
        var recovered = 0;
        await Eventually.ThatAsync(async () => (recovered += await stores.Store.RecoverAsync(Log, default)) > 0, Patience, "the lease to end");

        Assert.Equal(1, recovered);
        Assert.Equal(before + 2, (await stores.ReadAsync(Orders)).Versions[0]);
        Assert.Equal(0, stores.Number("EXISTS", Log, Log + ":versions"));
    }

    [ServerFact]
    public async Task A_lease_has_one_holder_who_alone_gives_it_back()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var one = await ConnectAsync(OptionsOf(redis));
        await using var other = await ConnectAsync(OptionsOf(redis));
        const string Lease = "efs:{shop}:l:1";

        Assert.True(await one.Store.TryLeaseAsync(Lease, _minute, default));
        Assert.False(await other.Store.TryLeaseAsync(Lease, _minute, default));
        await other.Store.ReleaseAsync(Lease, default);
        Assert.False(await other.Store.TryLeaseAsync(Lease, _minute, default));
        await one.Store.ReleaseAsync(Lease, default);
        Assert.True(await other.Store.TryLeaseAsync(Lease, TimeSpan.FromMilliseconds(1), default));
        await Eventually.ThatAsync(async () => await one.Store.TryLeaseAsync(Lease, _minute, default), Patience, "the lease to end");
    }

    [ServerFact]
    public async Task An_entry_that_would_hold_up_others_is_not_sent()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var stores = await ConnectAsync(OptionsOf(redis) with { MaxEntrySize = 1_000 });

        Assert.Contains("1000 bytes", (await stores.Store.WriteAsync(Entry, new byte[1_001], _minute, default)).Failure, StringComparison.Ordinal);
        Assert.True((await stores.Store.WriteAsync(Entry, new byte[1_000], _minute, default)).IsDone);
    }

    [ServerFact]
    public async Task Uses_the_database_and_the_password_of_its_options()
    {
        await using var redis = await RedisServer.StartAsync(new() { Password = "s3cret#x" });
        await using var stores = await ConnectAsync(OptionsOf(redis) with { Database = 3 });

        await stores.Store.WriteAsync(Entry, "here"u8.ToArray(), _minute, default);

        Assert.Equal("", stores.Run("GET", Entry));
        Assert.Contains("db3:keys=1", stores.Run("INFO", "keyspace"), StringComparison.Ordinal);
        Assert.Equal("here", Encoding.ASCII.GetString((await stores.ReadAsync()).Entry!.Value.Span));
    }

    [ServerFact]
    public async Task A_cancelled_wait_ends_and_harms_no_other()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var stores = await ConnectAsync(OptionsOf(redis) with { MaxWait = TimeSpan.FromSeconds(10), Heartbeat = TimeSpan.FromSeconds(20) });
        var before = await stores.ReadAsync(Orders);
        using var cancellation = new CancellationTokenSource();

        await redis.SuspendAsync();
        var cancelled = stores.Store.ReadAsync(Entry, [Orders], cancellation.Token);
        var kept = stores.Store.ReadAsync(Entry, [Orders], default);
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await cancelled);
        await redis.ContinueAsync();

        Assert.Equal(before.Versions, (await kept).Versions);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await stores.Store.ReadAsync(Entry, [Orders], cancellation.Token));
    }
}
