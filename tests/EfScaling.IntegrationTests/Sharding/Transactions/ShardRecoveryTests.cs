using EfScaling.Consistency;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Routing.Shards;
using EfScaling.Routing.Transactions;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace EfScaling.IntegrationTests.Sharding.Transactions;

/// <summary>A decision is kept as long as anybody could ask for it, and recovery goes on whatever one shard is like.</summary>
public sealed class ShardRecoveryTests(ShopDatabases databases, ClusterFixture fixture) : IClassFixture<ShopDatabases>
{
    [Fact]
    public async Task A_shard_that_answers_as_a_standby_keeps_its_decisions()
    {
        var customers = databases.CustomerOfEachShard();
        var id = Guid.CreateVersion7(TimeProvider.System.GetUtcNow() - TimeSpan.FromHours(2));
        await OnShardAsync(customers[2], $"BEGIN; UPDATE \"Customers\" SET \"Name\" = 'prepared' WHERE \"Id\" = {customers[2]}; PREPARE TRANSACTION '{new PreparedName(id, 1, "east")}'");
        await OnShardAsync(
            customers[0],
            $"INSERT INTO efscaling.decision (id, outcome, participants, begun_at, decided_at) VALUES ('{id}', 'commit', ARRAY['east', 'south'], now() - interval '2 hours', now() - interval '2 hours')");
        await fixture.Cluster.WaitForReplicationAsync();

        // The address of 'south' leads to its standby, as it may while its primary is away.
        await using var services = new ServiceCollection()
            .AddShardedDbContextFactory<ShopContext>((_, o) => databases.Configure(
                o, ReadContract.Primary, connections: shard => databases.ConnectionTo(shard, shard == "south" ? fixture.Cluster.Standbys[1] : null)))
            .BuildServiceProvider();
        await using (var astray = services.GetRequiredService<ShardedDbContextFactory<ShopContext>>().CreateDbContext())
        {
            var result = await astray.Database.RecoverShardTransactionsAsync(TimeSpan.Zero);
            Assert.Equal(["south"], result.Unreachable.Keys);
        }

        await using var context = databases.Sharded.CreateDbContext();
        var recovered = await context.Database.RecoverShardTransactionsAsync(TimeSpan.Zero);
        Assert.Equal((1, 0), (recovered.Committed, recovered.RolledBack));
        Assert.Equal("prepared", await context.Customers.Where(c => c.Id == customers[2]).Select(c => c.Name).SingleAsync());
    }

    private async Task OnShardAsync(int customer, string sql)
    {
        await using var context = databases.Sharded.CreateDbContext(ShardKey.Of(customer));
        await context.Database.ExecuteSqlRawAsync(sql);
    }
}
