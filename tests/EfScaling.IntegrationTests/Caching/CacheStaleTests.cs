using System.Transactions;
using EfScaling.Caching;
using EfScaling.Consistency;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>Who may be answered with an old result while a new one is loaded, and who may not.</summary>
public sealed class CacheStaleTests(ClusterFixture fixture)
{
    private static readonly TimeSpan _long = TimeSpan.FromMinutes(10);

    private readonly MarkedNotes _notes = new(fixture.Cluster);

    [Theory]
    [InlineData(StaleReader.Fresh, true)]
    [InlineData(StaleReader.HitBefore, true)]
    [InlineData(StaleReader.Writer, false)]
    [InlineData(StaleReader.SessionOfWriter, false)]
    [InlineData(StaleReader.GivenToken, false)]
    [InlineData(StaleReader.WroteBefore, false)]
    [InlineData(StaleReader.Invalidated, false)]
    [InlineData(StaleReader.SessionInvalidated, false)]
    [InlineData(StaleReader.SawNewer, false)]
    [InlineData(StaleReader.SessionSawNewer, false)]
    [InlineData(StaleReader.TooOld, false)]
    [InlineData(StaleReader.BoundedStaleness, false)]
    [InlineData(StaleReader.Unasked, false)]
    [InlineData(StaleReader.AfterTransactionScope, false)]
    public async Task Answers_with_an_old_result_only_who_may_have_asked_before_the_write(StaleReader reader, bool isAnswered)
    {
        var gate = new CommandGate("count(*)");
        var process = await CachedBlogs.StartAsync(fixture.Cluster, also: o => o.AddInterceptors(gate));
        await _notes.AddAsync(process);
        await _notes.AreCachedAsync(process);
        await using var context = process.Context();
        await using var writer = process.Context();
        if (reader == StaleReader.WroteBefore)
        {
            context.Add(new Tag { Name = _notes.Mark });
            await context.SaveChangesAsync();
        }

        // The last moment at which the result is known to be right.
        Assert.Equal(CacheOutcome.LocalHit, (await CountAsync(reader == StaleReader.HitBefore ? context : writer)).Outcome);
        using var session = reader is StaleReader.SessionOfWriter or StaleReader.SessionInvalidated or StaleReader.SessionSawNewer ? ConsistencySession.Begin() : null;
        await (reader == StaleReader.Writer ? AddAsync(context) : reader == StaleReader.AfterTransactionScope ? AddInScopeAsync(context) : AddAsync(writer));
        switch (reader)
        {
            case StaleReader.GivenToken:
                context.Database.UseConsistencyToken(await writer.Database.GetConsistencyTokenAsync());
                break;
            case StaleReader.Invalidated:
                await context.Database.InvalidateCacheAsync<Note>();
                break;
            case StaleReader.SessionInvalidated:
                await writer.Database.InvalidateCacheAsync<Note>();
                break;
            case StaleReader.SawNewer:
                Assert.Equal(2, (await _notes.Query(context).NotCacheable().ToListAsync()).Count);
                break;
            case StaleReader.SessionSawNewer:
                Assert.Equal(2, (await _notes.Query(writer).NotCacheable().ToListAsync()).Count);
                break;
        }

        gate.Close();
        var loading = _notes.CountAsync(process);
        await gate.Arrived.WaitAsync(MarkedNotes.Patience);
        var asking = CountAsync(context, reader);

        // Who is answered does not wait for the load, and who is not gets what is true, whether it waits or loads by itself.
        if (isAnswered)
        {
            Assert.Equal((1, CacheOutcome.StaleHit), await asking);
            Assert.True(context.Database.LastRouting()!.Value.Cache!.Value.IsHit);
            Assert.False(loading.IsCompleted);
        }

        gate.Open();
        Assert.Equal(2, (await loading).Count);
        if (!isAnswered)
        {
            var (count, outcome) = await asking;
            Assert.Equal(2, count);
            Assert.NotEqual(CacheOutcome.StaleHit, outcome);
        }

        // The new result has come, and the old one is nobody's any more.
        Assert.Equal((2, CacheOutcome.LocalHit), await CountAsync(process.Context()));
    }

    [Fact]
    public async Task The_plan_tells()
    {
        var process = await CachedBlogs.StartAsync(fixture.Cluster);
        await using var context = process.Context();
        Assert.Contains(
            "until a write to v:public.Notes and up to 2.5 s after it while the new result is loaded",
            _notes.Query(context).StaleWhileRefilling(TimeSpan.FromSeconds(2.5)).ToRoutingString(),
            StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => _notes.Query(context).StaleWhileRefilling(TimeSpan.Zero));
    }

    private async Task<(int Count, CacheOutcome? Outcome)> CountAsync(BlogContext context, StaleReader reader = StaleReader.Fresh)
    {
        var query = _notes.Query(context).WithMaxStaleness(reader == StaleReader.BoundedStaleness ? TimeSpan.FromTicks(1) : _long);
        query = reader switch
        {
            StaleReader.Unasked => query,
            StaleReader.TooOld => query.StaleWhileRefilling(TimeSpan.FromTicks(1)),
            _ => query.StaleWhileRefilling(_long),
        };
        return (await query.CountAsync(), context.Database.LastRouting()!.Value.Cache?.Outcome);
    }

    private async Task AddAsync(BlogContext context)
    {
        context.Add(new Note { Text = _notes.Mark });
        await context.SaveChangesAsync();
    }

    private async Task AddInScopeAsync(BlogContext context)
    {
        using var scope = new TransactionScope(TransactionScopeAsyncFlowOption.Enabled);
        await AddAsync(context);
        scope.Complete();
    }
}
