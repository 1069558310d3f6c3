using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using EfScaling.Consistency;
using EfScaling.Diagnostics;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Routing;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace EfScaling.IntegrationTests.Sharding;

/// <summary>What an application can see of its shards: why a query runs where it runs, the map, metrics and events; never the value of a key.</summary>
public sealed class ShardedEvidenceTests(ShopDatabases databases) : IClassFixture<ShopDatabases>
{
    private const int Id = 7_654_321;

    private static string ShardOf(int id, ShopDatabases databases) => databases.Sharded.ShardOf(ShardKey.Of(id));

    [Fact]
    public async Task The_routing_string_tells_shard_bucket_and_the_condition_that_decided()
    {
        await using var context = databases.Sharded.CreateDbContext();
        var map = context.Database.GetShardMap();
        var (shard, bucket) = (ShardOf(Id, databases), map.BucketOf(ShardKey.Of(Id)));
        var id = Id;

        var text = context.Customers.Include(c => c.Orders).Where(c => c.Id == id).ToRoutingString();

        Assert.StartsWith(
            $"""
            shard {shard}
              Customers: Id = @id -> hash, bucket {bucket} of 1024 -> shard '{shard}' (map version 1)
              Orders: CustomerId = @id -> hash, bucket {bucket} of 1024 -> shard '{shard}' (map version 1)

            """,
            text,
            StringComparison.Ordinal);
        Assert.Contains("primary 127.0.0.1:", text, StringComparison.Ordinal);
        Assert.DoesNotContain(Id.ToString(CultureInfo.InvariantCulture), text, StringComparison.Ordinal);
        Assert.DoesNotContain(Id.ToString(CultureInfo.InvariantCulture), context.Customers.Where(c => c.Id == 7_654_321).ToRoutingString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_routing_string_of_a_query_over_several_shards_tells_each_key_or_that_there_is_none()
    {
        await using var context = databases.Sharded.CreateDbContext();
        var map = context.Database.GetShardMap();
        int[] ids = [1, 2];

        Assert.Equal(
            $"""
            several shards
              from {ShardOf(1, databases)}, {ShardOf(2, databases)}: SELECT c."Id", c."Name", c.xmin FROM "Customers" AS c WHERE c."Id" = ANY (@ids)
              Customers: Id in (@ids)
                {map.Explain(ShardKey.Of(1))["key (int4) -> ".Length..]}
                {map.Explain(ShardKey.Of(2))["key (int4) -> ".Length..]}
            """,
            context.Customers.Where(c => ids.Contains(c.Id)).ToRoutingString());
        Assert.EndsWith("\n  Orders: nothing says which CustomerId its rows have", context.Orders.Where(o => o.Total > 5).ToRoutingString(), StringComparison.Ordinal);
        Assert.Contains($"\n  Notices: not sharded -> shard '{databases.Sharded.Shards[0]}'\n", context.Notices.ToRoutingString(), StringComparison.Ordinal);
        Assert.Contains("\n  every shard has what the query reads\n", context.Products.ToRoutingString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Routing_string_and_last_routing_tell_the_nodes_of_the_shard()
    {
        await using var services = new ServiceCollection().AddShardedDbContextFactory<ShopContext>((_, o) => databases.Configure(o, ReadContract.Session)).BuildServiceProvider();
        await using var context = services.GetRequiredService<ShardedDbContextFactory<ShopContext>>().CreateDbContext();
        var id = Enumerable.Range(1, ShopDatabases.Customers).First(i => ShardOf(i, databases) != databases.Sharded.Shards[0]);

        Assert.Contains("\nreplica if one is at most 5 s old, else primary 127.0.0.1:", context.Customers.Where(c => c.Id == id).ToRoutingString(), StringComparison.Ordinal);
        context.Orders.Add(new Order { CustomerId = id, Id = 4_711, Total = 1 });
        await context.SaveChangesAsync();
        Assert.Equal((ShardOf(id, databases), RoutingReason.NotAQuery), (context.Database.LastRouting()!.Value.Shard, context.Database.LastRouting()!.Value.Reason));
        await context.Orders.Where(o => o.CustomerId == id && o.Id == 4_711).ExecuteDeleteAsync();
    }

    [Fact]
    public async Task The_map_is_told_and_an_unknown_name_is_refused()
    {
        await using var context = databases.Sharded.CreateDbContext();
        Assert.Equal(databases.Sharded.Shards, context.Database.GetShardMap().Shards);
        Assert.Equal(
            "GetShardMap was asked for the map 'colour'; the model's are ''. Name one of them, or mark an entity by IsSharded(key, map: \"colour\").",
            Assert.Throws<InvalidOperationException>(() => context.Database.GetShardMap("colour")).Message);
        await using var whole = databases.Whole();
        Assert.Equal(
            "GetShardMap was called on a context without shards. Call UseSharding(...) on its options, after UseNpgsql().",
            Assert.Throws<InvalidOperationException>(() => whole.Database.GetShardMap()).Message);
    }

    [Fact]
    public async Task Commands_contexts_and_refusals_are_counted_by_shard_and_reason()
    {
        var counted = new ConcurrentBag<string>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Name.StartsWith("efscaling.sharding.", StringComparison.Ordinal))
                {
                    Assert.False(string.IsNullOrEmpty(instrument.Unit) || string.IsNullOrEmpty(instrument.Description));
                    self.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
            counted.Add($"{instrument.Name["efscaling.sharding.".Length..]} {value} {string.Join(' ', tags.ToArray().Select(t => $"{t.Key}={t.Value}"))}"));
        listener.Start();
        var (shard, other) = (ShardOf(1, databases), databases.Sharded.Shards.First(s => s != ShardOf(1, databases)));

        await using (var context = databases.Sharded.CreateDbContext())
        {
            var customer = await context.Customers.SingleAsync(c => c.Id == 1);
            customer.Name += "!";
            await context.SaveChangesAsync();
            await context.Customers.Where(c => c.Id == 1).ExecuteUpdateAsync(s => s.SetProperty(c => c.Name, c => c.Name.Replace("!", "")));
            await Refused(CrossShardReason.OutsideNamedShard, () => context.Customers.Where(c => c.Id == 1).OnShard(other).CountAsync());
            await Refused(CrossShardReason.NoShardKey, () => context.Customers.Join(context.Orders, c => c.Id, o => o.Id, (c, o) => c).CountAsync());
            await Refused(CrossShardReason.NotUnderstood, () => context.Customers.FromSql($"SELECT *, xmin FROM \"Customers\"").CountAsync());
            await Refused(CrossShardReason.SeveralShards, () => context.Customers.Where(c => new[] { 1, 2, 3, 4, 5, 6 }.Contains(c.Id)).Join(context.Orders.Where(o => o.CustomerId == 1), c => c.Id, o => o.Id, (c, o) => c).CountAsync());
            await Refused(CrossShardReason.ShardKeyChanged, () => context.Customers.Where(c => c.Id == 1).ExecuteUpdateAsync(s => s.SetProperty(c => c.Id, 2)));
            var elsewhere = Enumerable.Range(1, 40).First(i => ShardOf(i, databases) != databases.Sharded.Shards[0]);
            using var scope = new System.Transactions.TransactionScope(System.Transactions.TransactionScopeAsyncFlowOption.Enabled);
            var here = Enumerable.Range(1, 40).First(i => ShardOf(i, databases) != ShardOf(elsewhere, databases));
            await context.Customers.CountAsync(c => c.Id == here);
            await Refused(CrossShardReason.OpenTransaction, () => context.Customers.CountAsync(c => c.Id == elsewhere));
            _ = context.Customers.ToRoutingString();
        }

        await using (var bound = databases.Sharded.CreateDbContextOnShard(other))
        {
            await Refused(CrossShardReason.OutsideBoundShard, () => bound.Customers.CountAsync(c => c.Id == 1));
        }

        listener.Dispose();
        Assert.Contains($"commands 1 shard={shard} kind=query", counted);
        Assert.Contains($"commands 1 shard={shard} kind=save", counted);
        Assert.Contains($"commands 1 shard={shard} kind=bulk", counted);
        Assert.Contains("contexts 1 ", counted);
        Assert.Contains($"contexts 1 shard={other}", counted);
        Assert.All(Enum.GetNames<CrossShardReason>(), reason => Assert.Contains($"refusals 1 reason={reason}", counted));
    }

    [Fact]
    public async Task Plan_and_SQL_are_made_once_for_each_shape_of_a_query_on_whatever_shard()
    {
        // Others measure at the same time; what this test causes happens in its own flow.
        var isOwn = new AsyncLocal<bool> { Value = true };
        var plans = 0;
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Name == "efscaling.sharding.plans")
                {
                    self.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((_, _, _, _) => plans += isOwn.Value ? 1 : 0);
        listener.Start();

        for (var id = 1; id <= ShopDatabases.Customers; id++)
        {
            await using var spanning = databases.Sharded.CreateDbContext();
            await using var bound = databases.Sharded.CreateDbContext(ShardKey.Of(id));
            foreach (var context in new[] { spanning, bound })
            {
                await context.Customers.Where(c => c.Id == id && c.Name != "only here").Select(c => c.Name).ToListAsync();
                await context.Orders.AsSplitQuery().Include(o => o.Lines).Where(o => o.CustomerId == id && o.Total != -1).ToListAsync();
            }
        }

        Assert.Equal(3, plans);
    }

    [Fact]
    public async Task Events_name_shards_and_reasons_and_no_key()
    {
        var log = new EventLog();
        await using var services = new ServiceCollection()
            .AddShardedDbContextFactory<ShopContext>((_, o) => databases.Configure(o, ReadContract.Primary).UseLoggerFactory(log))
            .BuildServiceProvider();
        await using var context = services.GetRequiredService<ShardedDbContextFactory<ShopContext>>().CreateDbContext();

        var id = Id;
        await context.Customers.CountAsync(c => c.Id == id);
        await Refused(CrossShardReason.NoShardKey, () => context.Customers.Join(context.Orders, c => c.Id, o => o.Id, (c, o) => c).CountAsync());

        Assert.Contains(log.Events, e => e.Id == EfScalingEventId.CommandRoutedOnShard && e.Message.Contains($"of shard '{ShardOf(Id, databases)}': PrimaryRequested", StringComparison.Ordinal));
        Assert.Contains(log.Events, e => e.Id == EfScalingEventId.CommandRefused && e.Message == "A command was refused: NoShardKey; it concerns any shard.");
        Assert.DoesNotContain(log.Events, e => e.Message.Contains(Id.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal));
    }

    private static async Task Refused(CrossShardReason reason, Func<Task> command) =>
        Assert.Equal(reason, (await Assert.ThrowsAnyAsync<CrossShardException>(command)).Reason);
}
