using EfScaling.Caching;
using EfScaling.Diagnostics;
using EfScaling.IntegrationTests.Clusters;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>A process whose first write comes while its store is still connecting waits for the store.</summary>
public sealed class CacheStartTests(ClusterFixture fixture)
{
    private readonly MarkedNotes _notes = new(fixture.Cluster);

    [Theory]
    [InlineData(PublishFailure.FailBeforeCommit, true)]
    [InlineData(PublishFailure.FailBeforeCommit, false)]
    [InlineData(PublishFailure.Proceed, true)]
    [InlineData(PublishFailure.Proceed, false)]
    public async Task The_first_write_waits_for_a_store_that_is_still_connecting(PublishFailure failure, bool isAsync)
    {
        await using var store = new ConnectingCacheStore(new MemoryCacheStore());
        var process = CachedBlogs.Create(fixture.Cluster, c => c.Store(store).OnPublishFailure(failure));
        await using (var context = process.Context())
        {
            context.Add(new Note { Text = _notes.Mark });
            Assert.Equal(1, isAsync ? await context.SaveChangesAsync() : context.SaveChanges());
        }

        Assert.Equal(0, process.Events.Count(EfScalingEventId.WriteNotPublished));
        await _notes.AreCachedAsync(process);
        await _notes.AreRightAsync(process);
    }
}
