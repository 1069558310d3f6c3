using System.Transactions;
using EfScaling.Consistency;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Sharding;

/// <summary>What a sharded context refuses, and what it says then.</summary>
public sealed class ShardedRefusalTests(ShopDatabases databases) : IClassFixture<ShopDatabases>
{
    [Fact]
    public async Task What_is_about_one_database_is_refused_on_a_context_that_spans_all_shards()
    {
        await using var context = databases.Sharded.CreateDbContext();
        var database = context.Database;
        foreach (var refused in new Func<Task>[]
        {
            () => Task.FromResult(database.GetConsistencyToken()),
            async () => await database.GetConsistencyTokenAsync(),
            () =>
            {
                database.UseConsistencyToken(ConsistencyToken.None);
                return Task.CompletedTask;
            },
            () => Task.FromResult(database.BeginReplicaSnapshot()),
            () => database.BeginReplicaSnapshotAsync(),
        })
        {
            var refusal = await Assert.ThrowsAsync<InvalidOperationException>(refused);
            Assert.Contains("was called on a context that spans all shards. Begin a ConsistencySession around the context", refusal.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task What_certainly_concerns_another_shard_is_refused_though_the_rest_is_uncertain()
    {
        var (one, other) = databases.TwoKeysOfDifferentShards();
        await using var context = databases.Sharded.CreateDbContext(ShardKey.Of(one));
        var refusal = await Assert.ThrowsAsync<CrossShardException>(() => context.Customers.Where(c => c.Id == other && context.Orders.Any(o => o.Total > 1)).ToListAsync());
        Assert.Equal([databases.Sharded.ShardOf(ShardKey.Of(other))], refusal.Shards);
        refusal = await Assert.ThrowsAsync<CrossShardException>(
            () => context.Customers.FromSql($"SELECT * FROM \"Customers\"").Where(c => c.Orders.Any(o => o.CustomerId == other)).ToListAsync());
        Assert.Equal([databases.Sharded.ShardOf(ShardKey.Of(other))], refusal.Shards);
    }

    [Fact]
    public async Task A_command_for_another_shard_is_refused_in_a_transaction_that_the_context_was_enlisted_in()
    {
        await using var context = databases.Sharded.CreateDbContext();
        var other = Enumerable.Range(1, ShopDatabases.Customers).First(id => databases.Sharded.ShardOf(ShardKey.Of(id)) != databases.Sharded.Shards[0]);
        using var transaction = new CommittableTransaction();
        await context.Database.OpenConnectionAsync();
        context.Database.EnlistTransaction(transaction);
        var refusal = await Assert.ThrowsAsync<CrossShardException>(() => context.Customers.CountAsync(c => c.Id == other));
        Assert.Contains($"'{databases.Sharded.ShardOf(ShardKey.Of(other))}' while a transaction around the context is open on '{databases.Sharded.Shards[0]}'", refusal.Message, StringComparison.Ordinal);
        transaction.Rollback();
    }

    [Fact]
    public async Task A_shard_key_that_the_database_would_generate_is_refused_before_anything_is_sent()
    {
        await using var context = databases.Sharded.CreateDbContext();
        var order = context.Add(new Order { CustomerId = -1, Total = 1 });
        order.Property(o => o.CustomerId).IsTemporary = true;
        var refusal = await Assert.ThrowsAsync<InvalidOperationException>(() => context.SaveChangesAsync());
        Assert.Contains("'Order' whose shard key 'CustomerId' the database would generate", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task LastRouting_tells_the_shard_that_SaveChanges_wrote_on()
    {
        await using var context = databases.Sharded.CreateDbContext();
        for (var id = 1; id <= 8; id++)
        {
            context.Add(new Order { CustomerId = id, Total = 3 });
            await context.SaveChangesAsync();
            Assert.Equal(databases.Sharded.ShardOf(ShardKey.Of(id)), context.Database.LastRouting()!.Value.Shard);
            await context.Orders.Where(o => o.CustomerId == id && o.Total == 3).ExecuteDeleteAsync();
            await context.Notices.CountAsync();
        }
    }
}
