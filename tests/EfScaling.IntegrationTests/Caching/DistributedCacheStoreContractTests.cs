using EfScaling.Caching;

namespace EfScaling.IntegrationTests.Caching;

public sealed class DistributedCacheStoreContractTests : CacheStoreContract
{
    private readonly ScriptedDistributedCache _cache = new();

    protected override bool KeepsIntents => false;

    protected override bool KeepsLeases => false;

    protected override bool Reports => false;

    protected override bool BumpsAtOneMoment => false;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_cache_that_hangs_is_given_up_in_time_and_its_late_writes_do_no_harm(bool heedsTokens)
    {
        await using var store = new DistributedCacheStore(_cache, TimeSpan.FromMilliseconds(50));
        var first = Assert.Single((await store.ReadAsync(null, ["a"], default)).Versions);
        _cache.HeedsTokens = heedsTokens;
        _cache.Hang();

        var limit = TimeSpan.FromSeconds(10);
        Assert.Contains("50 ms", (await store.ReadAsync("entry", ["a"], default).AsTask().WaitAsync(limit)).Failure, StringComparison.Ordinal);
        Assert.Contains("50 ms", (await store.BumpAsync(["a"], null, default).AsTask().WaitAsync(limit)).Failure, StringComparison.Ordinal);
        Assert.Contains("50 ms", (await store.WriteAsync("entry", new byte[1], limit, default).AsTask().WaitAsync(limit)).Failure, StringComparison.Ordinal);

        // Open after three failures: now nobody waits, and nobody is asked.
        Assert.NotNull(store.Outage);
        var calls = _cache.Calls;
        Assert.NotNull((await store.ReadAsync("entry", ["a"], default)).Failure);
        Assert.NotNull(store.Bump(["a"], null).Failure);
        Assert.Equal(calls, _cache.Calls);

        _cache.GoOn();
        await using var other = new DistributedCacheStore(_cache, limit);
        Assert.True((await other.BumpAsync(["a"], null, default)).IsDone);
        Assert.NotEqual(first, Assert.Single((await other.ReadAsync(null, ["a"], default)).Versions));
    }

    [Fact]
    public async Task A_message_does_not_repeat_what_a_foreign_exception_says()
    {
        await using var store = new DistributedCacheStore(_cache);
        _cache.Failure = new InvalidOperationException("password=geheim");

        var failure = (await store.ReadAsync(null, ["a"], default)).Failure;

        Assert.Contains(nameof(InvalidOperationException), failure, StringComparison.Ordinal);
        Assert.DoesNotContain("geheim", failure, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_caller_that_gives_up_is_told_so_and_counts_as_no_failure()
    {
        await using var store = new DistributedCacheStore(_cache, TimeSpan.FromMinutes(1));
        _cache.Hang();
        for (var i = 0; i < 5; i++)
        {
            using var impatience = new CancellationTokenSource();
            var reading = store.ReadAsync("entry", ["a"], impatience.Token).AsTask();
            await impatience.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading);
        }

        Assert.Null(store.Outage);
    }

    [Fact]
    public async Task What_is_no_version_is_replaced()
    {
        await using var store = new DistributedCacheStore(_cache);
        _cache.Set("v:a", [1, 2, 3], new());

        var first = Assert.Single((await store.ReadAsync(null, ["a"], default)).Versions);

        Assert.Equal(first, Assert.Single((await store.ReadAsync(null, ["a"], default)).Versions));
        Assert.Equal(first, Assert.Single(store.Read(null, ["a"]).Versions));
    }

    protected override Task<ICacheStore> OpenAsync() => Task.FromResult<ICacheStore>(new DistributedCacheStore(_cache, TimeSpan.FromSeconds(5)));

    protected override Task LoseAsync()
    {
        _cache.Lose();
        return Task.CompletedTask;
    }

    protected override Task BreakAsync()
    {
        _cache.Failure = new TimeoutException();
        return Task.CompletedTask;
    }

    protected override Task MendAsync()
    {
        _cache.Failure = null;
        return Task.CompletedTask;
    }

    protected override ValueTask CloseAsync()
    {
        _cache.Dispose();
        return ValueTask.CompletedTask;
    }
}
