using EfScaling.Caching;

namespace EfScaling.Tests.Caching;

/// <summary>What the contract suite cannot see from outside: time, room and what is forgotten.</summary>
public sealed class MemoryCacheStoreTests
{
    private static readonly TimeSpan _minute = TimeSpan.FromMinutes(1);

    private readonly ManualClock _clock = new();

    [Fact]
    public async Task An_entry_lives_until_its_time_and_no_longer()
    {
        var store = new MemoryCacheStore(clock: _clock);
        await store.WriteAsync("entry", new byte[] { 1 }, _minute, default);

        _clock.Advance(_minute - TimeSpan.FromMilliseconds(1));
        Assert.NotNull(store.Read("entry", []).Entry);
        _clock.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Null(store.Read("entry", []).Entry);
        await store.ProlongAsync("entry", _minute, default);
        Assert.Null(store.Read("entry", []).Entry);
    }

    [Fact]
    public async Task A_prolonged_entry_lives_from_then_on()
    {
        var store = new MemoryCacheStore(clock: _clock);
        await store.WriteAsync("entry", new byte[] { 1 }, _minute, default);
        _clock.Advance(_minute / 2);
        await store.ProlongAsync("entry", _minute, default);

        _clock.Advance(_minute - TimeSpan.FromMilliseconds(1));
        Assert.NotNull(store.Read("entry", []).Entry);
        _clock.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Null(store.Read("entry", []).Entry);
    }

    [Fact]
    public async Task Entries_that_are_not_read_make_room()
    {
        var store = new MemoryCacheStore(capacity: 10_000);
        await store.WriteAsync("read", new byte[1000], _minute, default);
        for (var i = 0; i < 50; i++)
        {
            await store.WriteAsync($"unread {i}", new byte[1000], _minute, default);
            Assert.NotNull(store.Read("read", []).Entry);
        }

        Assert.Null(store.Read("unread 0", []).Entry);
        Assert.NotNull(store.Read("unread 49", []).Entry);
    }

    [Fact]
    public void Entries_never_take_more_than_they_may_and_nothing_once_they_are_gone()
    {
        var seed = Random.Shared.Next();
        var random = new Random(seed);
        var entries = new MemoryEntries(20_000);
        for (var i = 0; i < 5000; i++)
        {
            var now = _clock.Advance(TimeSpan.FromSeconds(1));
            entries.Write($"{random.Next(60)}", new byte[random.Next(5000)], now.Plus(_minute, _clock));
            entries.Read($"{random.Next(60)}", now);
            Assert.True(entries.Bytes is > 0 and <= 20_000, $"{entries.Bytes} bytes with seed {seed}.");
        }

        for (var i = 0; i < 60; i++)
        {
            Assert.Null(entries.Read($"{i}", _clock.Now.Plus(_minute, _clock)));
        }

        Assert.Equal(0, entries.Bytes);
    }

    [Fact]
    public async Task An_entry_larger_than_the_store_replaces_the_former_one_by_none()
    {
        var store = new MemoryCacheStore(capacity: 1000);
        await store.WriteAsync("entry", new byte[10], _minute, default);

        Assert.True((await store.WriteAsync("entry", new byte[1000], _minute, default)).IsDone);

        Assert.Null(store.Read("entry", []).Entry);
    }

    [Fact]
    public void Versions_in_use_are_kept_and_forgotten_ones_come_back_with_new_values()
    {
        var versions = new MemoryVersions(capacity: 10);
        var used = versions.Read("used");
        var unused = versions.Read("unused");
        var given = new HashSet<long> { used, unused };
        for (var i = 0; i < 100; i++)
        {
            Assert.True(given.Add(versions.Read($"{i}")));
            Assert.Equal(used, versions.Read("used"));
        }

        Assert.True(given.Add(versions.Read("unused")));
        versions.Bump(["used", "never read"]);
        Assert.True(given.Add(versions.Read("used")));
        Assert.True(given.Add(versions.Read("never read")));
    }

    [Fact]
    public void A_version_that_is_bumped_while_it_grows_old_does_not_go_back()
    {
        var versions = new MemoryVersions(capacity: 4);
        var first = versions.Read("a");
        versions.Read("b");
        versions.Read("c");
        versions.Bump(["a"]);

        for (var i = 0; i < 20; i++)
        {
            Assert.NotEqual(first, versions.Read("a"));
            versions.Read($"{i}");
        }
    }

    [Fact]
    public void Leases_that_nobody_gives_back_do_not_pile_up()
    {
        var leases = new MemoryLeases();
        for (var i = 0; i < 100_000; i++)
        {
            var now = _clock.Advance(TimeSpan.FromMilliseconds(10));
            Assert.True(leases.TryTake($"{i}", now, now.Plus(TimeSpan.FromSeconds(1), _clock)));
        }

        Assert.True(leases.Count < 2000, $"{leases.Count} leases are held.");
    }

    [Fact]
    public async Task Subscribers_know_before_a_bump_returns()
    {
        var store = new MemoryCacheStore(clock: _clock);
        var changed = new List<string?>();
        store.Subscribe(changed.Add);

        store.Bump(["a", "b"], null);
        Assert.Equal(["a", "b"], changed);

        await store.AnnounceAsync(new CacheIntent("log", "w", ["c"], _minute), default);
        Assert.Equal(0, await store.RecoverAsync("log", default));
        _clock.Advance(_minute);
        Assert.Equal(1, await store.RecoverAsync("log", default));
        Assert.Equal(["a", "b", "c"], changed);
    }
}
