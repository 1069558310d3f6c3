using EfScaling.IntegrationTests.Clusters;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Sharding.Catalog;

/// <summary>A map of the application's own, whose rules are code, under a catalog.</summary>
public sealed class OwnMapTests(ClusterFixture fixture)
{
    [Fact]
    public async Task Processes_with_another_map_than_the_catalog_are_refused_and_rows_are_never_wrong()
    {
        await using var bank = await Bank.CreateAsync(fixture.Cluster, s => s.UseMap(names => new Remainder(names, 1)));
        var old = bank.Deaf();
        await using (var context = old.CreateDbContext())
        {
            Assert.Equal(100, (await context.Accounts.SingleAsync(a => a.Id == 7)).Balance);
        }

        var next = bank.Process(sharding: s => s.UseMap(names => new Remainder(names, 2)));
        await using (var context = next.CreateDbContext())
        {
            var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => context.Accounts.AnyAsync(a => a.Id == 7));
            Assert.Contains("Deploy the same map to all processes", refused.Message, StringComparison.Ordinal);
        }

        await bank.ChangeAsync(new Remainder(["north", "south", "west"], 2), Bank.MoveRowsAsync);
        await using (var context = next.CreateDbContext())
        {
            Assert.Equal(100, (await context.Accounts.SingleAsync(a => a.Id == 7)).Balance);
        }

        await using var late = old.CreateDbContext();
        Assert.Contains("Deploy the same map", (await Assert.ThrowsAsync<InvalidOperationException>(() => late.Accounts.SingleAsync(a => a.Id == 7))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_change_that_is_made_by_a_process_without_the_former_map_fences_every_shard()
    {
        await using var bank = await Bank.CreateAsync(fixture.Cluster, s => s.UseMap(names => new Slots(names, 1)));
        var old = bank.Deaf();
        await using (var context = old.CreateDbContext())
        {
            Assert.Equal(100, (await context.Accounts.SingleAsync(a => a.Id == 7)).Balance);
        }

        await using (var next = bank.Process(sharding: s => s.UseMap(names => new Slots(names, 2))).CreateDbContext())
        {
            await next.Database.ChangeShardMapAsync(new Slots(["north", "south", "west"], 2), Bank.MoveRowsAsync);
            Assert.Equal(100, (await next.Accounts.SingleAsync(a => a.Id == 7)).Balance);
        }

        // Its shard has the row no more, and must not say so to a process that takes it for the right one.
        await using var late = old.CreateDbContext();
        Assert.Contains("Deploy the same map", (await Assert.ThrowsAsync<InvalidOperationException>(() => late.Accounts.SingleOrDefaultAsync(a => a.Id == 7))).Message, StringComparison.Ordinal);
    }

    // With buckets, each of which it knows to be on one shard.
    private sealed class Slots(IReadOnlyList<string> shards, long version) : ShardMap(shards, [ShardKeyType.Int4], version: version)
    {
        public override int BucketCount => Bank.Buckets;

        protected override string FindShard(in ShardKey key) => FindShardsOfBucket(FindBucket(key))[0];

        protected override IReadOnlyList<string> FindShardsOfBucket(int bucket) => [Shards[(int)((bucket + Version) % Shards.Count)]];

        protected override string ExplainPlace(in ShardKey key) => "slot";

        protected override IEnumerable<string> Describe() => ["slots"];
    }

    private sealed class Remainder(IReadOnlyList<string> shards, long version) : ShardMap(shards, [ShardKeyType.Int4], version: version)
    {
        protected override string FindShard(in ShardKey key) => Shards[(int)((key.GetInt64() + Version) % Shards.Count)];

        protected override string ExplainPlace(in ShardKey key) => "remainder";

        protected override IEnumerable<string> Describe() => ["remainder"];
    }
}
