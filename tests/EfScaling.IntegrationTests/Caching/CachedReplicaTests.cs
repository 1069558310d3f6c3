using EfScaling.Caching;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Testing;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>Replicas fill the cache only with what shows every write that was published before.</summary>
public sealed class CachedReplicaTests
{
    private static readonly TimeSpan _deadline = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task A_lagging_replica_never_makes_a_result_that_is_older_than_a_published_write()
    {
        await using var cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 1 });
        await BlogContext.CreateSchemaAsync(cluster);
        await using var redis = await RedisServer.StartAsync();
        var writer = await CachedBlogs.StartAsync(cluster, c => c.Redis(redis.Endpoint));
        var reader = await CachedBlogs.StartAsync(cluster, c => c.Redis(redis.Endpoint), o => o.UseReadReplicas(r => r.AddReplica(cluster.Standbys[0].ConnectionString).MaxStaleness(TimeSpan.FromMinutes(10))));
        await FilledByReplicaAsync(reader);
        await cluster.Standbys[0].PauseReplayAsync();
        for (var i = 0; i < 10; i++)
        {
            int count;
            await using (var context = writer.Context())
            {
                context.Add(new Note { Text = "new" });
                await context.SaveChangesAsync();
                count = await context.Notes.NotCacheable().CountAsync();
            }

            // Old rows are allowed by the contract, on the replica; what is kept must not be.
            for (var j = 0; j < 5; j++)
            {
                // Also when the replica was asked in vain, and the read moved on.
                Assert.NotNull(await reader.OutcomeAsync(c => c.Notes.Cacheable().CountAsync()));
                await using var context = reader.Context();
                var cached = await context.Notes.Cacheable().CountAsync();
                if (context.Database.LastRouting()!.Value.Cache is { IsHit: true })
                {
                    Assert.Equal(count, cached);
                }
            }

            await using (var context = writer.Context())
            {
                Assert.Equal(count, await context.Notes.Cacheable().CountAsync());
            }
        }

        await cluster.Standbys[0].ResumeReplayAsync();
        await FilledByReplicaAsync(reader);
    }

    [Fact]
    public async Task A_hit_keeps_the_session_from_going_back_on_a_replica_that_lags()
    {
        await using var cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 1 });
        await BlogContext.CreateSchemaAsync(cluster);
        await using var redis = await RedisServer.StartAsync();
        var writer = await CachedBlogs.StartAsync(cluster, c => c.Redis(redis.Endpoint));
        var reader = await CachedBlogs.StartAsync(cluster, c => c.Redis(redis.Endpoint), o => o.UseReadReplicas(r => r.AddReplica(cluster.Standbys[0].ConnectionString).MaxStaleness(TimeSpan.FromMinutes(10))));
        await FilledByReplicaAsync(reader);
        await cluster.Standbys[0].PauseReplayAsync();
        int count;
        await using (var context = writer.Context())
        {
            context.Add(new Note { Text = "new" });
            await context.SaveChangesAsync();
            count = await context.Notes.Cacheable().CountAsync();
        }

        await using (var context = reader.Context())
        {
            await Eventually.ThatAsync(
                async () => await context.Notes.Cacheable().CountAsync() == count && context.Database.LastRouting()!.Value.Cache is { IsHit: true },
                _deadline,
                "the new count is cached");
            Assert.Equal(count, await context.Notes.CountAsync());
            Assert.Equal(NodeRole.Primary, context.Database.LastRouting()!.Value.Role);
        }

        await cluster.Standbys[0].ResumeReplayAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_commit_that_waits_for_a_standby_never_leaves_an_old_result_behind(bool inRedis)
    {
        await using var redis = await RedisServer.StartAsync();
        await using var cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 1 });
        await BlogContext.CreateSchemaAsync(cluster);
        var writer = await StartAsync();

        // Another process, unless the store is the memory of one.
        var reader = inRedis ? await StartAsync() : writer;
        for (var round = 0; round < 5; round++)
        {
            var before = await CountAsync(reader);
            Assert.Equal(before, await CountAsync(writer));
            await MissingStandby.AwaitAsync(cluster);
            var saving = Task.Run(async () =>
            {
                await using var context = writer.Context();
                context.Add(new Note { Text = "waits" });
                await context.SaveChangesAsync();
            });
            await MissingStandby.UntilOneWaitsAsync(cluster);

            // The rows are on the disk, and nobody sees them: what is read and kept now must be nobody's answer once they are acknowledged.
            for (var read = 0; read < 5; read++)
            {
                Assert.Equal(before, await CountAsync(writer));
                Assert.Equal(before, await CountAsync(reader));
            }

            await MissingStandby.ForgetAsync(cluster);
            await saving;
            Assert.Equal(before + 1, await CountAsync(writer));
            Assert.Equal(before + 1, await CountAsync(reader));
        }

        Task<CachedBlogs> StartAsync() => CachedBlogs.StartAsync(cluster, c => { if (inRedis) { c.Redis(redis.Endpoint).KeepDespiteWrites(); } });
    }

    private static async Task<int> CountAsync(CachedBlogs blogs)
    {
        await using var context = blogs.Context();
        return await context.Notes.Cacheable().CountAsync();
    }

    // Each round asks for something new, so that it must be read.
    private static async Task FilledByReplicaAsync(CachedBlogs reader)
    {
        var round = 1_000_000;
        await Eventually.ThatAsync(
            async () =>
            {
                round++;
                var (first, role) = await ReadAsync(round);
                return first == CacheOutcome.Absent && role == NodeRole.Replica && (await ReadAsync(round)).Outcome is CacheOutcome.LocalHit or CacheOutcome.Hit;
            },
            _deadline,
            "a replica fills the cache");

        async Task<(CacheOutcome? Outcome, NodeRole Role)> ReadAsync(int id)
        {
            await using var context = reader.Context();
            await context.Notes.Cacheable().CountAsync(n => n.Id == id);
            var routing = context.Database.LastRouting()!.Value;
            return (routing.Cache?.Outcome, routing.Role);
        }
    }
}
