using System.Collections.Immutable;
using EfScaling.Caching;
using EfScaling.Testing;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>What every store promises. A store inherits this suite and says how it is opened and broken.</summary>
public abstract class CacheStoreContract : IAsyncDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Moments = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan Long = TimeSpan.FromMinutes(5);

    private readonly List<ICacheStore> _opened = [];

    /// <summary>Whether the store keeps intents; one that does not recovers nothing.</summary>
    protected virtual bool KeepsIntents => true;

    /// <summary>Whether the store keeps leases; one that does not grants them all.</summary>
    protected virtual bool KeepsLeases => true;

    /// <summary>Whether the store reports changes.</summary>
    protected virtual bool Reports => true;

    /// <summary>Whether several versions change at one moment.</summary>
    protected virtual bool BumpsAtOneMoment => true;

    /// <summary>Whether <see cref="BreakAsync"/> can make the store unreachable.</summary>
    protected virtual bool CanBreak => true;

    /// <summary>How long a call may take while the store is broken; much more than its time limit, for the sake of slow machines.</summary>
    protected virtual TimeSpan PatienceWhenBroken => TimeSpan.FromSeconds(5);

    [Fact]
    public async Task A_version_stays_as_it_is_until_it_is_bumped()
    {
        var (one, other) = await OpenTwoAsync();

        var first = await VersionsAsync(one, "a", "b");

        Assert.Equal(first, await VersionsAsync(one, "a", "b"));
        Assert.Equal(first, await VersionsAsync(other, "a", "b"));
        Assert.Equal(first.Reverse(), await VersionsAsync(other, "b", "a"));
    }

    [Fact]
    public async Task A_bump_changes_each_version_that_it_names_and_no_other()
    {
        var (one, other) = await OpenTwoAsync();
        var before = await VersionsAsync(one, "a", "b", "c");

        Assert.True((await one.BumpAsync(["a", "b"], null, default)).IsDone);

        var after = await VersionsAsync(other, "a", "b", "c");
        Assert.NotEqual(before[0], after[0]);
        Assert.NotEqual(before[1], after[1]);
        Assert.Equal(before[2], after[2]);
    }

    [Fact]
    public async Task A_version_that_nobody_read_can_be_bumped()
    {
        var store = await OpenReadyAsync();

        Assert.True((await store.BumpAsync(["never read"], null, default)).IsDone);

        Assert.Equal(await VersionsAsync(store, "never read"), await VersionsAsync(store, "never read"));
    }

    [Fact]
    public async Task Nothing_to_read_or_to_bump_is_no_failure()
    {
        var store = await OpenReadyAsync();

        Assert.True((await store.BumpAsync([], null, default)).IsDone);
        Assert.True(store.Bump([], null).IsDone);
        Assert.Empty((await ReadAsync(store, "absent")).Versions);
        Assert.Empty((await ReadAsync(store, null)).Versions);
    }

    [Fact]
    public async Task A_version_never_has_the_same_value_twice()
    {
        var (one, other) = await OpenTwoAsync();
        var seen = new HashSet<long>();

        for (var i = 0; i < 500; i++)
        {
            Assert.True(seen.Add(Assert.Single(await VersionsAsync(one, "a"))), $"Value {i} came back.");
            Assert.True((await other.BumpAsync(["a"], null, default)).IsDone);
        }
    }

    [Fact]
    public async Task A_version_that_was_lost_comes_back_with_a_value_that_it_never_had()
    {
        var store = await OpenReadyAsync();
        var seen = new HashSet<long>();
        for (var i = 0; i < 20; i++)
        {
            seen.Add(Assert.Single(await VersionsAsync(store, "a")));
            Assert.True((await store.BumpAsync(["a"], null, default)).IsDone);
        }

        seen.UnionWith(await VersionsAsync(store, "a"));

        await LoseAsync();

        for (var i = 0; i < 20; i++)
        {
            Assert.True(seen.Add(Assert.Single(await VersionsAsync(store, "a"))), $"A value came back after {i} bumps.");
            Assert.True((await store.BumpAsync(["a"], null, default)).IsDone);
        }
    }

    [Fact]
    public async Task What_was_read_before_a_bump_is_never_read_after_it()
    {
        var (one, other) = await OpenTwoAsync();
        var observed = ImmutableHashSet<long>.Empty;
        var dead = ImmutableHashSet<long>.Empty;
        var bumping = 4;
        using var limit = new CancellationTokenSource(Deadline);

        async Task BumpAsync(ICacheStore store)
        {
            // Until enough was seen to die: a fast store would be done before the first reader starts.
            for (var i = 0; (i < 60 || Volatile.Read(ref dead).Count < 20) && !limit.IsCancellationRequested; i++)
            {
                var before = Volatile.Read(ref observed);
                Assert.True((await store.BumpAsync(["other", "a"], null, default)).IsDone);
                ImmutableInterlocked.Update(ref dead, static (all, added) => all.Union(added), before);
                await Task.Yield();
            }

            Interlocked.Decrement(ref bumping);
        }

        async Task LookAsync(ICacheStore store)
        {
            while (Volatile.Read(ref bumping) > 0)
            {
                var gone = Volatile.Read(ref dead);
                var value = Assert.Single(await VersionsAsync(store, "a"));
                Assert.DoesNotContain(value, gone);
                ImmutableInterlocked.Update(ref observed, static (all, added) => all.Add(added), value);
                await Task.Yield();
            }
        }

        await Task.WhenAll(
            [
                .. new[] { one, other, one, other }.Select(store => Task.Run(() => BumpAsync(store))),
                .. new[] { one, other, one, other }.Select(store => Task.Run(() => LookAsync(store))),
            ]).WaitAsync(TimeSpan.FromMinutes(1));

        Assert.True(dead.Count >= 20, $"Of {observed.Count} values {dead.Count} died: too little was tested.");
    }

    [Fact]
    public async Task Versions_that_are_bumped_together_are_seen_to_change_together()
    {
        Assert.SkipUnless(BumpsAtOneMoment, "This store bumps one version after the other.");
        var (one, other) = await OpenTwoAsync();
        var pairs = new Dictionary<long, long>();
        using var limit = new CancellationTokenSource(Deadline);
        var isEnough = false;
        var bumping = Task.Run(async () =>
        {
            while (!Volatile.Read(ref isEnough))
            {
                Assert.True((await one.BumpAsync(["a", "b"], null, default)).IsDone);
                await Task.Yield();
            }
        });

        try
        {
            while (pairs.Count < 200 && !limit.IsCancellationRequested)
            {
                var pair = await VersionsAsync(other, "a", "b");
                Assert.Equal(pair[1], pairs.GetValueOrDefault(pair[0], pair[1]));
                pairs[pair[0]] = pair[1];
            }
        }
        finally
        {
            Volatile.Write(ref isEnough, true);
            await bumping;
        }

        Assert.True(pairs.Count >= 20, $"{pairs.Count} pairs were seen: too little was tested.");
    }

    [Fact]
    public async Task An_entry_comes_back_with_the_versions_as_it_was_written()
    {
        var (one, other) = await OpenTwoAsync();
        var versions = await VersionsAsync(one, "a", "b");
        Assert.Null((await ReadAsync(one, "entry", "a", "b")).Entry);

        await WriteAsync(one, "entry", [1, 0, 255, 13, 10]);

        var reading = await ReadAsync(other, "entry", "a", "b");
        Assert.Equal([1, 0, 255, 13, 10], Bytes(reading));
        Assert.Equal(versions, reading.Versions);
        Assert.Null((await ReadAsync(other, null, "a", "b")).Entry);
        Assert.Null((await ReadAsync(other, "another", "a", "b")).Entry);
    }

    [Fact]
    public async Task An_entry_and_a_version_of_one_name_are_two()
    {
        var store = await OpenReadyAsync();
        await WriteAsync(store, "entry", [1]);

        var versions = await VersionsAsync(store, "version");
        await WriteAsync(store, "entry", [2]);

        Assert.Equal(versions, await VersionsAsync(store, "version"));
        Assert.True((await store.BumpAsync(["version"], null, default)).IsDone);
        Assert.Equal([2], Bytes(await ReadAsync(store, "entry")));
    }

    [Fact]
    public async Task The_last_write_of_an_entry_counts()
    {
        var (one, other) = await OpenTwoAsync();
        await WriteAsync(one, "entry", [1, 2, 3]);
        await WriteAsync(other, "entry", [4]);

        Assert.Equal([4], Bytes(await ReadAsync(one, "entry")));
    }

    [Fact]
    public async Task An_empty_entry_is_not_a_missing_one()
    {
        var store = await OpenReadyAsync();
        await WriteAsync(store, "entry", []);

        Assert.Empty(Bytes(await ReadAsync(store, "entry")));
    }

    [Fact]
    public async Task A_large_entry_comes_back_whole()
    {
        var (one, other) = await OpenTwoAsync();
        var value = new byte[256 * 1024];
        new Random(7).NextBytes(value);

        await VersionsAsync(one, "a");
        await Eventually.ThatAsync(async () => (await one.WriteAsync("entry", value, Long, default)).IsDone, Deadline, "a large entry to be written in time");

        await Eventually.ThatAsync(
            async () => await other.ReadAsync("entry", ["a"], default) is { Failure: null } reading && Enumerable.SequenceEqual(value, Bytes(reading)),
            Deadline,
            "a large entry to be read in time");
    }

    [Fact]
    public async Task An_entry_does_not_change_with_the_array_that_it_was_written_from()
    {
        var store = await OpenReadyAsync();
        byte[] value = [1, 2, 3];
        await WriteAsync(store, "entry", value);
        value[0] = 9;

        Assert.Equal([1, 2, 3], Bytes(await ReadAsync(store, "entry")));
    }

    [Fact]
    public async Task An_entry_ends_with_its_time_unless_it_is_prolonged()
    {
        var store = await OpenReadyAsync();
        var brief = TimeSpan.FromSeconds(2);
        await WriteAsync(store, "prolonged", [1], brief);
        await WriteAsync(store, "brief", [2], brief);
        Assert.True((await store.ProlongAsync("prolonged", Long, default)).IsDone);

        await Eventually.ThatAsync(async () => (await ReadAsync(store, "brief")).Entry is null, Deadline, "an entry to end with its time");

        Assert.Equal([1], Bytes(await ReadAsync(store, "prolonged")));
    }

    [Fact]
    public async Task Reading_an_entry_does_not_prolong_it()
    {
        var store = await OpenReadyAsync();
        await WriteAsync(store, "entry", [1], TimeSpan.FromSeconds(1));

        await Eventually.ThatAsync(async () => (await ReadAsync(store, "entry")).Entry is null, Deadline, "an entry that is read all the time to end");
    }

    [Fact]
    public async Task Prolonging_an_entry_that_does_not_exist_makes_none()
    {
        var store = await OpenReadyAsync();

        Assert.True((await store.ProlongAsync("absent", Long, default)).IsDone);
        Assert.Null((await ReadAsync(store, "absent")).Entry);
    }

    [Fact]
    public async Task An_entry_may_live_for_as_long_as_can_be_said()
    {
        var store = await OpenReadyAsync();
        await WriteAsync(store, "entry", [1], TimeSpan.MaxValue);
        Assert.True((await store.ProlongAsync("entry", TimeSpan.MaxValue, default)).IsDone);

        Assert.Equal([1], Bytes(await ReadAsync(store, "entry")));
    }

    [Fact]
    public async Task Calls_that_block_and_calls_that_do_not_see_the_same()
    {
        var store = await OpenReadyAsync();
        await VersionsAsync(store, "a", "b");
        await WriteAsync(store, "entry", [5]);

        var waited = store.Read("entry", ["a", "b"]);
        var awaited = await ReadAsync(store, "entry", "a", "b");

        Assert.Null(waited.Failure);
        Assert.Equal(awaited.Versions, waited.Versions);
        Assert.Equal(awaited.Incarnation, waited.Incarnation);
        Assert.Equal([5], Bytes(waited));
        Assert.True(store.Bump(["a"], null).IsDone);
        var after = await VersionsAsync(store, "a", "b");
        Assert.NotEqual(waited.Versions[0], after[0]);
        Assert.Equal(waited.Versions[1], after[1]);
    }

    [Fact]
    public async Task All_who_use_a_store_agree_on_its_incarnation()
    {
        var (one, other) = await OpenTwoAsync();

        Assert.Equal((await ReadAsync(one, null, "a")).Incarnation, (await ReadAsync(other, null, "a")).Incarnation);
    }

    [Fact]
    public async Task A_writer_that_is_silent_for_its_lease_is_recovered_once()
    {
        var (one, other) = await OpenTwoAsync();
        var before = await VersionsAsync(one, "a", "b", "c");

        Assert.True((await one.AnnounceAsync(new CacheIntent("log", "w", ["a", "b"], Moments), default)).IsDone);

        if (!KeepsIntents)
        {
            Assert.Equal(0, await other.RecoverAsync("log", default));
            return;
        }

        await RecoverOneAsync(other, "log");
        var after = await VersionsAsync(one, "a", "b", "c");
        Assert.NotEqual(before[0], after[0]);
        Assert.NotEqual(before[1], after[1]);
        Assert.Equal(before[2], after[2]);
        Assert.Equal(0, await one.RecoverAsync("log", default));
        Assert.Equal(after, await VersionsAsync(one, "a", "b", "c"));
    }

    [Fact]
    public async Task A_writer_within_its_lease_and_one_of_another_log_are_left_alone()
    {
        var store = await OpenReadyAsync();
        var before = await VersionsAsync(store, "a", "b");
        Assert.True((await store.AnnounceAsync(new CacheIntent("log", "alive", ["a"], Long), default)).IsDone);
        Assert.True((await store.AnnounceAsync(new CacheIntent("another log", "silent", ["b"], Moments), default)).IsDone);

        await PassLeasesAsync(store, "log");

        Assert.Equal(before, await VersionsAsync(store, "a", "b"));
    }

    [Fact]
    public async Task A_writer_that_bumped_is_not_recovered()
    {
        var store = await OpenReadyAsync();
        var intent = new CacheIntent("log", "w", ["a", "b"], Moments);
        Assert.True((await store.AnnounceAsync(intent, default)).IsDone);
        Assert.True((await store.BumpAsync(["a"], intent, default)).IsDone);
        var before = await VersionsAsync(store, "a", "b");

        await PassLeasesAsync(store, "log");

        Assert.Equal(before, await VersionsAsync(store, "a", "b"));
    }

    [Fact]
    public async Task A_writer_that_announces_itself_again_adds_versions()
    {
        var store = await OpenReadyAsync();
        var before = await VersionsAsync(store, "a", "b", "c");
        Assert.True((await store.AnnounceAsync(new CacheIntent("log", "w", ["a", "b"], Long), default)).IsDone);
        Assert.True((await store.AnnounceAsync(new CacheIntent("log", "w", ["b", "c"], Moments), default)).IsDone);

        if (KeepsIntents)
        {
            await RecoverOneAsync(store, "log");
            Assert.All(before.Zip(await VersionsAsync(store, "a", "b", "c")), pair => Assert.NotEqual(pair.First, pair.Second));
        }
    }

    [Fact]
    public async Task A_writer_that_announces_itself_again_renews_its_lease()
    {
        var store = await OpenReadyAsync();
        var before = await VersionsAsync(store, "a", "b");
        Assert.True((await store.AnnounceAsync(new CacheIntent("log", "w", ["a"], Moments), default)).IsDone);
        Assert.True((await store.AnnounceAsync(new CacheIntent("log", "w", ["b"], Long), default)).IsDone);

        await PassLeasesAsync(store, "log");

        Assert.Equal(before, await VersionsAsync(store, "a", "b"));
    }

    [Fact]
    public async Task Of_those_who_recover_at_once_one_recovers_each_writer()
    {
        if (!KeepsIntents)
        {
            return;
        }

        const int writers = 12;
        var (one, other) = await OpenTwoAsync();
        for (var i = 0; i < writers; i++)
        {
            Assert.True((await one.AnnounceAsync(new CacheIntent("log", $"w{i}", ["a"], Moments), default)).IsDone);
        }

        var recovered = 0;
        await Eventually.ThatAsync(
            async () =>
            {
                var counts = await Task.WhenAll(new[] { one, other, one, other }.Select(store => Task.Run(() => store.RecoverAsync("log", default).AsTask())));
                return (recovered += counts.Sum()) >= writers;
            },
            Deadline,
            "all writers to be recovered");

        Assert.Equal(writers, recovered);
        Assert.Equal(0, await one.RecoverAsync("log", default));
    }

    [Fact]
    public async Task A_lease_has_one_holder_until_it_is_given_back()
    {
        var (one, other) = await OpenTwoAsync();
        Assert.True(await one.TryLeaseAsync("lease", Long, default));

        Assert.Equal(!KeepsLeases, await other.TryLeaseAsync("lease", Long, default));
        Assert.True(await other.TryLeaseAsync("another", Long, default));
        await one.ReleaseAsync("lease", default);

        Assert.True(await other.TryLeaseAsync("lease", Long, default));
        Assert.Equal(!KeepsLeases, await one.TryLeaseAsync("lease", Long, default));
    }

    [Fact]
    public async Task A_lease_ends_by_itself()
    {
        var (one, other) = await OpenTwoAsync();
        Assert.True(await one.TryLeaseAsync("lease", Moments, default));

        await Eventually.ThatAsync(async () => await other.TryLeaseAsync("lease", Long, default), Deadline, "a lease to end");

        Assert.Equal(!KeepsLeases, await one.TryLeaseAsync("lease", Long, default));
    }

    [Fact]
    public async Task Of_those_who_ask_for_a_lease_at_once_one_gets_it()
    {
        var (one, other) = await OpenTwoAsync();

        var granted = await Task.WhenAll(
            Enumerable.Range(0, 16).Select(i => Task.Run(() => (i % 2 == 0 ? one : other).TryLeaseAsync("lease", Long, default).AsTask())));

        Assert.Equal(KeepsLeases ? 1 : granted.Length, granted.Count(isGranted => isGranted));
    }

    [Fact]
    public async Task Changes_are_reported_whoever_made_them()
    {
        var (one, other) = await OpenTwoAsync();
        if (!Reports)
        {
            Assert.False(one.IsReporting);
            return;
        }

        var changed = ImmutableList<string?>.Empty;
        one.Subscribe(version => ImmutableInterlocked.Update(ref changed, static (all, added) => all.Add(added), version));
        await Eventually.ThatAsync(() => one.IsReporting, Deadline, "the store to report");
        Assert.DoesNotContain("a", changed);

        Assert.True((await other.BumpAsync(["a", "b"], null, default)).IsDone);
        await Eventually.ThatAsync(() => changed.Contains("a") && changed.Contains("b"), Deadline, "another's change to be reported");
        changed = [];
        Assert.True(one.Bump(["c"], null).IsDone);
        await Eventually.ThatAsync(() => changed.Contains("c"), Deadline, "the own change to be reported");

        Assert.DoesNotContain("b", changed);
    }

    [Fact]
    public async Task Changes_of_a_recovered_writer_are_reported()
    {
        if (!Reports || !KeepsIntents)
        {
            return;
        }

        var (one, other) = await OpenTwoAsync();
        var changed = ImmutableList<string?>.Empty;
        one.Subscribe(version => ImmutableInterlocked.Update(ref changed, static (all, added) => all.Add(added), version));
        await Eventually.ThatAsync(() => one.IsReporting, Deadline, "the store to report");

        Assert.True((await other.AnnounceAsync(new CacheIntent("log", "w", ["a"], Moments), default)).IsDone);
        await RecoverOneAsync(other, "log");

        await Eventually.ThatAsync(() => changed.Contains("a"), Deadline, "a recovered change to be reported");
    }

    [Fact]
    public async Task A_store_that_cannot_be_reached_says_so_and_serves_again_when_it_can()
    {
        Assert.SkipUnless(CanBreak, "This store cannot break.");
        var store = await OpenReadyAsync();
        Assert.Null(store.Outage);
        await BreakAsync();

        // More often than any circuit lets through: what an open one answers is tested too.
        for (var i = 0; i < 6; i++)
        {
            await InTimeAsync(async () =>
            {
                Assert.NotNull((await store.ReadAsync("entry", ["a"], default)).Failure);
                Assert.NotNull(store.Read("entry", ["a"]).Failure);
                Assert.False((await store.WriteAsync("entry", new byte[] { 1 }, Long, default)).IsDone);
                Assert.False((await store.ProlongAsync("entry", Long, default)).IsDone);
                Assert.False((await store.BumpAsync(["a"], null, default)).IsDone);
                Assert.False(store.Bump(["a"], null).IsDone);
                Assert.Equal(KeepsIntents, !(await store.AnnounceAsync(new CacheIntent("log", "w", ["a"], Long), default)).IsDone);
                Assert.Equal(0, await store.RecoverAsync("log", default));
                Assert.True(await store.TryLeaseAsync("lease", Long, default));
                await store.ReleaseAsync("lease", default);
            });
        }

        Assert.NotNull(store.Outage);
        await MendAsync();
        await Eventually.ThatAsync(async () => (await store.ReadAsync(null, ["a"], default)).Failure is null, Deadline, "the store to serve again");
        Assert.Null(store.Outage);
        var before = await VersionsAsync(store, "a");
        await Eventually.ThatAsync(async () => (await store.BumpAsync(["a"], null, default)).IsDone, Deadline, "a bump to be possible again");
        Assert.NotEqual(before, await VersionsAsync(store, "a"));
    }

    [Fact]
    public async Task A_name_tells_which_store_it_is() => Assert.NotEmpty((await OpenReadyAsync()).Name);

    public async ValueTask DisposeAsync()
    {
        foreach (var store in _opened.Distinct())
        {
            await store.DisposeAsync();
        }

        await CloseAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>Opens a store over what this test's stores have in common, as another process would; the suite disposes it.</summary>
    /// <remarks>Its time limit should be a second or so: how prompt a store is, is not the subject of this suite.</remarks>
    protected abstract Task<ICacheStore> OpenAsync();

    /// <summary>Loses all versions, or at least 'a'.</summary>
    protected abstract Task LoseAsync();

    /// <summary>Makes the store unreachable.</summary>
    protected virtual Task BreakAsync() => throw new NotSupportedException();

    /// <summary>Makes the store reachable again.</summary>
    protected virtual Task MendAsync() => throw new NotSupportedException();

    /// <summary>Ends what the stores had in common.</summary>
    protected virtual ValueTask CloseAsync() => ValueTask.CompletedTask;

    private static byte[] Bytes(CacheReading reading)
    {
        Assert.NotNull(reading.Entry);
        return reading.Entry.Value.ToArray();
    }

    private static async Task<CacheReading> ReadAsync(ICacheStore store, string? entry, params string[] versions)
    {
        var reading = await store.ReadAsync(entry, versions, default);
        Assert.Null(reading.Failure);
        Assert.Equal(versions.Length, reading.Versions.Count);
        return reading;
    }

    private static async Task<long[]> VersionsAsync(ICacheStore store, params string[] versions) => [.. (await ReadAsync(store, null, versions)).Versions];

    private static async Task WriteAsync(ICacheStore store, string entry, byte[] value, TimeSpan? timeToLive = null) =>
        Assert.Null((await store.WriteAsync(entry, value, timeToLive ?? Long, default)).Failure);

    private static Task RecoverOneAsync(ICacheStore store, string log) =>
        Eventually.ThatAsync(async () => await store.RecoverAsync(log, default) == 1, Deadline, "the writer to be recovered");

    // Leases of a moment that began before this call are over when that of a writer that announced itself last has been seen to end.
    private async Task PassLeasesAsync(ICacheStore store, string log)
    {
        if (KeepsIntents)
        {
            var before = await VersionsAsync(store, "last");
            var recovered = 0;
            Assert.True((await store.AnnounceAsync(new CacheIntent(log, "last", ["last"], Moments + Moments), default)).IsDone);
            await Eventually.ThatAsync(
                async () =>
                {
                    recovered += await store.RecoverAsync(log, default);
                    return (await VersionsAsync(store, "last"))[0] != before[0];
                },
                Deadline,
                "the last writer to be recovered");
            Assert.Equal(1, recovered);
        }

        Assert.Equal(0, await store.RecoverAsync(log, default));
    }

    private async Task InTimeAsync(Func<Task> calls) => await Task.Run(calls).WaitAsync(10 * PatienceWhenBroken);

    private async Task<(ICacheStore One, ICacheStore Other)> OpenTwoAsync() => (await OpenReadyAsync(), await OpenReadyAsync());

    private async Task<ICacheStore> OpenReadyAsync()
    {
        var store = await OpenAsync();
        _opened.Add(store);

        // Stores connect in the background.
        await Eventually.ThatAsync(async () => (await store.ReadAsync(null, ["ready"], default)).Failure is null, Deadline, "the store to be reached");
        return store;
    }
}
