using System.Transactions;
using EfScaling.Consistency;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using IsolationLevel = System.Data.IsolationLevel;

namespace EfScaling.IntegrationTests.Sharding.Transactions;

/// <summary>A transaction of a context that spans all shards holds whatever the context does, on whatever shard, until it is committed or rolled back.</summary>
public sealed class SpanningTransactionTests(ShopDatabases databases) : IClassFixture<ShopDatabases>
{
    private static int _lastName;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Nothing_is_seen_before_the_commit_and_everything_after_it(bool async)
    {
        var customers = databases.CustomerOfEachShard();
        var name = NewName();
        await using var context = databases.Sharded.CreateDbContext();
        await using var transaction = async ? await context.Database.BeginTransactionAsync() : context.Database.BeginTransaction();

        // One shard after the other, by each way to write.
        await RenameAsync(context, customers[0], name, async);
        _ = async
            ? await context.Customers.Where(c => c.Id == customers[1]).ExecuteUpdateAsync(s => s.SetProperty(c => c.Name, name))
            : context.Customers.Where(c => c.Id == customers[1]).ExecuteUpdate(s => s.SetProperty(c => c.Name, name));
        await RenameAsync(context, customers[2], name, async);
        Assert.Equal(name, async ? await context.Customers.Where(c => c.Id == customers[1]).Select(c => c.Name).SingleAsync() : context.Customers.Where(c => c.Id == customers[1]).Select(c => c.Name).Single());
        Assert.Equal(0, await CountAsync(name));
        if (async)
        {
            await transaction.CommitAsync();
        }
        else
        {
            transaction.Commit();
        }

        Assert.Equal(3, await CountAsync(name));
        Assert.Null(context.Database.CurrentTransaction);
        Assert.Equal(0, await databases.CountPreparedAsync());

        // The connections are free for what comes next.
        await RenameAsync(context, customers[0], name + "!", async);
        Assert.Equal(1, await CountAsync(name + "!"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_rollback_or_a_dispose_takes_back_what_was_written_on_every_shard(bool rollsBack)
    {
        var customers = databases.CustomerOfEachShard();
        var name = NewName();
        await using var context = databases.Sharded.CreateDbContext();
        await using (var transaction = await context.Database.BeginTransactionAsync())
        {
            foreach (var id in customers)
            {
                await RenameAsync(context, id, name, async: rollsBack);
            }

            if (rollsBack)
            {
                await transaction.RollbackAsync();
            }
        }

        Assert.Equal(0, await CountAsync(name));
        context.ChangeTracker.Clear();
        await RenameAsync(context, customers[3], name, async: true);
        Assert.Equal(1, await CountAsync(name));
    }

    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(false, false)]
    public async Task A_context_of_no_pool_that_is_disposed_gives_its_connections_back_and_rolls_back(bool begins, bool async)
    {
        var customers = databases.CustomerOfEachShard();
        var name = NewName();
        var context = new ShopContext((DbContextOptions<ShopContext>)databases.Configure(new DbContextOptionsBuilder<ShopContext>(), ReadContract.Primary).Options);
        if (begins)
        {
            await context.Database.BeginTransactionAsync();
            await context.Customers.Where(c => c.Id == customers[1]).ExecuteUpdateAsync(s => s.SetProperty(c => c.Name, name));
        }

        Assert.Equal(1, await context.Customers.CountAsync(c => c.Id == customers[1]));
        if (async)
        {
            await context.DisposeAsync();
        }
        else
        {
#pragma warning disable CA1849 // Both ways to dispose are the question.
            context.Dispose();
#pragma warning restore CA1849
        }

        Assert.Equal(0, await CountAsync(name));
    }

    [Fact]
    public async Task Savepoints_are_those_of_all_shards_also_of_those_that_come_later()
    {
        var customers = databases.CustomerOfEachShard();
        var (before, after) = (NewName(), NewName());
        await using var context = databases.Sharded.CreateDbContext();
        await using var transaction = await context.Database.BeginTransactionAsync();
        await UpdateAsync(context, customers[0], before);
        await transaction.CreateSavepointAsync("here");
        await UpdateAsync(context, customers[0], after);
        await UpdateAsync(context, customers[2], after);
        await transaction.RollbackToSavepointAsync("here");
        await UpdateAsync(context, customers[3], before);
        transaction.CreateSavepoint("there");
        await UpdateAsync(context, customers[3], after);
        transaction.RollbackToSavepoint("there");
        transaction.ReleaseSavepoint("there");
        await transaction.CommitAsync();
        Assert.Equal((2, 0), (await CountAsync(before), await CountAsync(after)));
    }

    [Fact]
    public async Task A_rollback_to_a_savepoint_leaves_the_own_shard_its_lock_timeout()
    {
        var customers = databases.CustomerOfEachShard();
        var name = NewName();
        await using var context = databases.Sharded.CreateDbContext();
        await using var transaction = await context.Database.BeginTransactionAsync();
        await transaction.CreateSavepointAsync("here");
        await UpdateAsync(context, customers[2], name);
        await transaction.RollbackToSavepointAsync("here");
        await using var command = context.Database.GetDbConnection().CreateCommand();
        command.CommandText = "SHOW lock_timeout";
        Assert.NotEqual("0", await command.ExecuteScalarAsync());
    }

    [Fact]
    public async Task A_save_that_fails_on_one_shard_is_taken_back_on_all_and_the_transaction_goes_on()
    {
        var customers = databases.CustomerOfEachShard();
        var name = NewName();
        await using var context = databases.Sharded.CreateDbContext();
        await using var transaction = await context.Database.BeginTransactionAsync();
        await UpdateAsync(context, customers[0], name);
        var orders = customers.Select(id => new Order { CustomerId = id, Total = 77_001 }).ToList();
        orders[3].Lines.Add(new OrderLine { Number = 1, ProductId = 77, Count = 1 });
        context.AddRange(orders);
        await Assert.ThrowsAsync<DbUpdateException>(() => context.SaveChangesAsync());
        foreach (var id in customers)
        {
            Assert.Equal(0, await context.Orders.CountAsync(o => o.CustomerId == id && o.Total == 77_001));
        }

        orders[3].Lines.Clear();
        Assert.Equal(4, await context.SaveChangesAsync());
        await transaction.CommitAsync();
        Assert.Equal(1, await CountAsync(name));
        foreach (var id in customers)
        {
            Assert.Equal(1, await context.Orders.CountAsync(o => o.CustomerId == id && o.Total == 77_001));
        }
    }

    [Fact]
    public async Task A_save_that_is_cancelled_when_all_is_written_has_not_failed()
    {
        var customers = databases.CustomerOfEachShard();
        using var late = new CancellationTokenSource();
        await using var services = new ServiceCollection()
            .AddShardedDbContextFactory<ShopContext>((_, o) => databases.Configure(o.AddInterceptors(new CancelAtRelease(late)), ReadContract.Primary))
            .BuildServiceProvider();
        await using var context = services.GetRequiredService<ShardedDbContextFactory<ShopContext>>().CreateDbContext();
        await using var transaction = await context.Database.BeginTransactionAsync();
        context.AddRange(customers.Select(id => new Order { CustomerId = id, Total = 77_002 }));
        Assert.Equal(4, await context.SaveChangesAsync(late.Token));
        Assert.True(late.IsCancellationRequested);
        await transaction.CommitAsync();
        Assert.Equal(4, await context.Orders.CountAsync(o => o.Total == 77_002));
    }

    [Fact]
    public async Task Reference_tables_are_written_in_it_with_others()
    {
        var customers = databases.CustomerOfEachShard();
        var name = NewName();
        var id = 5_000 + _lastName;
        await using var context = databases.Sharded.CreateDbContext();
        await using (var transaction = await context.Database.BeginTransactionAsync())
        {
            await UpdateAsync(context, customers[1], name);
            context.Add(new Product { Id = id, Name = "first" });
            await context.SaveChangesAsync();
            Assert.Equal(1, await context.Products.Where(p => p.Id == id).ExecuteUpdateAsync(s => s.SetProperty(p => p.Name, name)));
            await transaction.CommitAsync();
        }

        Assert.Equal(1, await CountAsync(name));
        var copies = await databases.Sharded.ForEachShardAsync((c, token) => c.Products.Where(p => p.Id == id).Select(p => p.Name).SingleAsync(token));
        Assert.All(copies, c => Assert.Equal(name, c.Value));
        await using (await context.Database.BeginTransactionAsync(IsolationLevel.RepeatableRead))
        {
            context.Add(new Product { Id = id + 10_000, Name = "snapshot" });
            var refusal = await Assert.ThrowsAsync<InvalidOperationException>(() => context.SaveChangesAsync());
            Assert.Contains("IsolationLevel.ReadCommitted", refusal.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Shards_that_are_only_read_are_not_prepared_and_all_have_the_isolation_of_the_transaction()
    {
        var customers = databases.CustomerOfEachShard();
        var name = NewName();
        await using var context = databases.Sharded.CreateDbContext();
        await using var transaction = await context.Database.BeginTransactionAsync(IsolationLevel.RepeatableRead);
        foreach (var id in customers)
        {
            Assert.Equal(0, await context.Customers.CountAsync(c => c.Id == id && c.Name == name));
        }

        await using (var other = databases.Sharded.CreateDbContext())
        {
            await UpdateAsync(other, customers[3], name);
        }

        // The snapshot of the shard is older.
        Assert.Equal(0, await context.Customers.CountAsync(c => c.Id == customers[3] && c.Name == name));
        await UpdateAsync(context, customers[0], name);
        var decisions = await DecisionsAsync();
        await transaction.CommitAsync();
        Assert.Equal(2, await CountAsync(name));
        Assert.Equal(decisions, await DecisionsAsync());
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(0, 2)]
    [InlineData(3, 1)]
    [InlineData(3, 0)]
    public async Task A_shard_that_is_only_read_ends_without_the_others(int read, int written)
    {
        // The second lives on the context's own shard.
        var customers = databases.CustomerOfEachShard();
        var name = NewName();
        await using var context = databases.Sharded.CreateDbContext();
        await using var transaction = await context.Database.BeginTransactionAsync();
        Assert.Equal(1, await context.Customers.CountAsync(c => c.Id == customers[read]));
        await UpdateAsync(context, customers[written], name);
        await transaction.CommitAsync();
        Assert.Equal(1, await CountAsync(name));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_query_over_all_shards_can_be_its_first_command(bool async)
    {
        var customers = databases.CustomerOfEachShard();
        var name = NewName();
        await using var context = databases.Sharded.CreateDbContext();
        for (var i = 0; i < 20; i++)
        {
            await using var transaction = await context.Database.BeginTransactionAsync();
            Assert.Equal(ShopDatabases.Customers, async ? await context.Customers.CountAsync() : context.Customers.Count());
            await UpdateAsync(context, customers[3], $"{name}.{i}");
            Assert.Equal(1, async ? await context.Customers.CountAsync(c => c.Name == $"{name}.{i}") : context.Customers.Count(c => c.Name == $"{name}.{i}"));
            Assert.Equal(0, await CountAsync($"{name}.{i}"));
            await transaction.CommitAsync();
            Assert.Equal(1, await CountAsync($"{name}.{i}"));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_shard_that_is_lost_in_it_fails_the_transaction_and_no_command_runs_outside_of_it(int lost)
    {
        // The second lives on the context's own shard.
        var customers = databases.CustomerOfEachShard();
        var name = NewName();
        await using var context = databases.Sharded.CreateDbContext();
        await using var transaction = await context.Database.BeginTransactionAsync();
        await UpdateAsync(context, customers[0], name);
        await UpdateAsync(context, customers[lost], name);
        await TerminateAsync(customers[lost]);
        await Assert.ThrowsAnyAsync<Exception>(() => UpdateAsync(context, customers[lost], name));
        await Assert.ThrowsAnyAsync<InvalidOperationException>(() => UpdateAsync(context, customers[lost], name));
        if (lost == 1)
        {
            await Assert.ThrowsAsync<InvalidOperationException>(() => context.Database.ExecuteSqlAsync($"UPDATE \"Customers\" SET \"Name\" = {name} WHERE \"Id\" = {customers[lost]}"));
        }

        var refusal = await Assert.ThrowsAsync<InvalidOperationException>(() => context.Customers.CountAsync(c => c.Id == customers[lost]));
        Assert.Contains("whose connection there is lost", refusal.Message, StringComparison.Ordinal);
        await Assert.ThrowsAnyAsync<Exception>(() => transaction.CommitAsync());
        await transaction.DisposeAsync();
        Assert.Equal(0, await CountAsync(name));
        Assert.Equal(0, await databases.CountPreparedAsync());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Of_a_transaction_whose_commit_has_failed_no_half_can_be_committed(bool isCancelled)
    {
        // The second lives on the context's own shard, the third does not.
        var customers = databases.CustomerOfEachShard();
        var name = NewName();
        await using var context = databases.Sharded.CreateDbContext();
        await using var transaction = await context.Database.BeginTransactionAsync();
        await UpdateAsync(context, customers[1], name);
        await UpdateAsync(context, customers[2], name);
        if (!isCancelled)
        {
            await TerminateAsync(customers[2]);
        }

        await Assert.ThrowsAnyAsync<Exception>(() => transaction.CommitAsync(new CancellationToken(canceled: isCancelled)));
        var refusal = await Assert.ThrowsAsync<InvalidOperationException>(() => transaction.CommitAsync());
        Assert.Contains("roll it back, and repeat all of it", refusal.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<InvalidOperationException>(() => UpdateAsync(context, customers[2], name));
        await transaction.RollbackAsync();
        Assert.Equal(0, await CountAsync(name));
        await UpdateAsync(context, customers[2], name);
        Assert.Equal(1, await CountAsync(name));
    }

    [Fact]
    public async Task An_execution_strategy_repeats_the_whole_unit_of_work()
    {
        var customers = databases.CustomerOfEachShard();
        var name = NewName();
        await using var services = new ServiceCollection()
            .AddShardedDbContextFactory<ShopContext>((_, o) => databases.Configure(o.UseNpgsql(n => n.EnableRetryOnFailure(3, TimeSpan.FromMilliseconds(50), null)), ReadContract.Primary))
            .BuildServiceProvider();
        await using var context = services.GetRequiredService<ShardedDbContextFactory<ShopContext>>().CreateDbContext();
        var tries = 0;
        await context.Database.CreateExecutionStrategy().ExecuteAsync(async () =>
        {
            await using var transaction = await context.Database.BeginTransactionAsync();
            await UpdateAsync(context, customers[1], name);
            await UpdateAsync(context, customers[2], name);
            if (tries++ == 0)
            {
                throw new PostgresException("made up", "ERROR", "ERROR", PostgresErrorCodes.SerializationFailure);
            }

            await transaction.CommitAsync();
        });
        Assert.Equal((2, 2), (tries, await CountAsync(name)));
    }

    [Fact]
    public async Task Transactions_that_the_context_has_not_begun_are_of_one_shard()
    {
        var customers = databases.CustomerOfEachShard();

        // Not pooled, for it gets a connection of the application.
        await using var services = new ServiceCollection().AddShardedDbContextFactory<ShopContext>((_, o) => databases.Configure(o, ReadContract.Primary), poolSize: 0).BuildServiceProvider();
        await using var context = services.GetRequiredService<ShardedDbContextFactory<ShopContext>>().CreateDbContext();
        var elsewhere = customers.First(id => databases.Sharded.ShardOf(ShardKey.Of(id)) != "north");
        using (new TransactionScope(TransactionScopeAsyncFlowOption.Enabled))
        {
            await context.Notices.CountAsync();
            context.AddRange(new Order { CustomerId = customers[0] }, new Order { CustomerId = customers[1] });
            var refusal = await Assert.ThrowsAsync<CrossShardException>(() => context.SaveChangesAsync());
            Assert.Equal(CrossShardReason.OpenTransaction, refusal.Reason);
        }

        context.ChangeTracker.Clear();
        await using var connection = new NpgsqlConnection(databases.ConnectionTo("north"));
        await connection.OpenAsync();
        await using var foreign = await connection.BeginTransactionAsync();
        context.Database.SetDbConnection(connection);
        await context.Database.UseTransactionAsync(foreign);
        var other = await Assert.ThrowsAsync<CrossShardException>(() => context.Customers.CountAsync(c => c.Id == elsewhere));
        Assert.Equal(CrossShardReason.OpenTransaction, other.Reason);
        await context.Database.UseTransactionAsync(null);
    }

    private static string NewName() => $"spanned {Interlocked.Increment(ref _lastName)}";

    private static async Task RenameAsync(ShopContext context, int id, string name, bool async)
    {
        var customer = async ? await context.Customers.SingleAsync(c => c.Id == id) : context.Customers.Single(c => c.Id == id);
        customer.Name = name;
        _ = async ? await context.SaveChangesAsync() : context.SaveChanges();
    }

    private static Task<int> UpdateAsync(ShopContext context, int id, string name) => context.Customers.Where(c => c.Id == id).ExecuteUpdateAsync(s => s.SetProperty(c => c.Name, name));

    // Ends what is in a transaction on the shard of a customer.
    private async Task TerminateAsync(int customer)
    {
        await using var context = databases.Sharded.CreateDbContext(ShardKey.Of(customer));
        await context.Database.ExecuteSqlRawAsync("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = current_database()");
    }

    // On contexts of their own, beside any transaction.
    private async Task<int> CountAsync(string name)
    {
        var counts = await databases.Sharded.ForEachShardAsync((c, token) => c.Customers.CountAsync(x => x.Name == name, token));
        Assert.All(counts, c => Assert.Null(c.Failure));
        return counts.Sum(c => c.Value);
    }

    private async Task<int> DecisionsAsync() =>
        (await databases.Sharded.ForEachShardAsync((c, token) => c.Database.SqlQueryRaw<int>("SELECT count(*)::int AS \"Value\" FROM efscaling.decision").SingleAsync(token))).Sum(c => c.Value);

    private sealed class CancelAtRelease(CancellationTokenSource source) : DbTransactionInterceptor
    {
        public override async ValueTask<InterceptionResult> ReleasingSavepointAsync(
            System.Data.Common.DbTransaction transaction, TransactionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
        {
            await source.CancelAsync();
            return result;
        }
    }
}
