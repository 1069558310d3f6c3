using System.Transactions;
using EfScaling.Caching;
using EfScaling.Consistency;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace EfScaling.IntegrationTests.Sharding.Transactions;

/// <summary>SaveChanges over several shards writes on all of them or on none, with all that SaveChanges does on one.</summary>
public sealed class SaveOnSeveralShardsTests(ShopDatabases databases) : IClassFixture<ShopDatabases>
{
    private static int _lastName;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Rows_of_all_shards_are_saved_together(bool async)
    {
        var customers = databases.CustomerOfEachShard();
        var name = NewName();
        await using var context = databases.Sharded.CreateDbContext();
        foreach (var id in customers)
        {
            // The database makes the ids of the orders, which their lines have.
            var order = new Order { CustomerId = id, Total = 1 };
            order.Lines.AddRange([new OrderLine { Number = 1, ProductId = 1, Count = 1 }, new OrderLine { Number = 2, ProductId = 2, Count = 2 }]);
            context.Add(order);
        }

        var first = await context.Customers.SingleAsync(c => c.Id == customers[0]);
        first.Name = name;
        Assert.Equal(13, async ? await context.SaveChangesAsync() : context.SaveChanges());
        Assert.All(context.ChangeTracker.Entries(), e => Assert.Equal(EntityState.Unchanged, e.State));
        Assert.All(context.Orders.Local, o => Assert.True(o.Id > 0));

        // What the tracker has is what is there.
        foreach (var order in context.Orders.Local.ToList())
        {
            order.Total++;
            order.Lines[0].Count++;
            context.Remove(order.Lines[1]);
        }

        Assert.Equal(12, async ? await context.SaveChangesAsync() : context.SaveChanges());
        foreach (var id in customers)
        {
            await using var bound = databases.Sharded.CreateDbContext(ShardKey.Of(id));
            var orderId = context.Orders.Local.Single(o => o.CustomerId == id).Id;
            var order = await bound.Orders.Include(o => o.Lines).SingleAsync(o => o.CustomerId == id && o.Id == orderId);
            Assert.Equal((2, 1, 2), ((int)order.Total, order.Lines.Single().Number, order.Lines.Single().Count));
        }

        Assert.Equal(name, await NameOfAsync(customers[0]));
        Assert.Equal(0, await databases.CountPreparedAsync());
    }

    [Fact]
    public async Task A_lost_update_on_one_shard_keeps_the_others_from_being_written()
    {
        var customers = databases.CustomerOfEachShard();
        var name = NewName();
        await using var context = databases.Sharded.CreateDbContext();
        foreach (var id in customers)
        {
            (await context.Customers.SingleAsync(c => c.Id == id)).Name = name;
        }

        await using (var faster = databases.Sharded.CreateDbContext())
        {
            await faster.Customers.Where(c => c.Id == customers[2]).ExecuteUpdateAsync(s => s.SetProperty(c => c.Name, "faster"));
        }

        var lost = await Assert.ThrowsAsync<DbUpdateConcurrencyException>(() => context.SaveChangesAsync());
        Assert.Equal(customers[2], ((Customer)Assert.Single(lost.Entries).Entity).Id);
        Assert.All(context.ChangeTracker.Entries(), e => Assert.Equal(EntityState.Modified, e.State));
        foreach (var id in customers)
        {
            Assert.NotEqual(name, await NameOfAsync(id));
        }

        // As with one database, the application looks at what is there and saves again.
        await lost.Entries.Single().ReloadAsync();
        context.Customers.Local.Single(c => c.Id == customers[2]).Name = name;
        Assert.Equal(4, await context.SaveChangesAsync());
        foreach (var id in customers)
        {
            Assert.Equal(name, await NameOfAsync(id));
        }
    }

    [Fact]
    public async Task A_row_that_the_last_shard_refuses_leaves_nothing_anywhere()
    {
        var customers = databases.CustomerOfEachShard();
        await using var context = databases.Sharded.CreateDbContext();
        var orders = customers.Select(id => new Order { CustomerId = id, Total = 5 }).ToList();
        context.AddRange(orders);
        orders[3].Lines.Add(new OrderLine { Number = 1, ProductId = 77, Count = 1 });
        var refused = await Assert.ThrowsAsync<DbUpdateException>(() => context.SaveChangesAsync());
        Assert.IsType<OrderLine>(Assert.Single(refused.Entries).Entity);
        Assert.All(context.ChangeTracker.Entries(), e => Assert.Equal(EntityState.Added, e.State));
        orders[3].Lines.Clear();
        Assert.Equal(4, await context.SaveChangesAsync());
        Assert.Equal(0, await databases.CountPreparedAsync());
    }

    [Fact]
    public async Task Rows_of_reference_tables_are_saved_with_others_and_count_once()
    {
        var customers = databases.CustomerOfEachShard();
        var name = NewName();
        await using var context = databases.Sharded.CreateDbContext();
        var product = new Product { Id = 1_000 + _lastName, Name = name };
        var order = new Order { CustomerId = customers[1], Total = 5 };
        order.Lines.Add(new OrderLine { Number = 1, Product = product, Count = 1 });
        context.AddRange(product, order, new Notice { Text = name });
        Assert.Equal(4, await context.SaveChangesAsync());
        foreach (var shard in databases.Sharded.Shards)
        {
            await using var bound = databases.Sharded.CreateDbContextOnShard(shard);
            Assert.Equal(name, (await bound.Products.SingleAsync(p => p.Id == product.Id)).Name);
        }

        Assert.Equal(1, await context.Notices.CountAsync(n => n.Text == name));
    }

    [Fact]
    public async Task A_failure_that_passes_is_tried_again_by_the_execution_strategy()
    {
        var customers = databases.CustomerOfEachShard();
        await OnShardAsync(
            customers[2],
            """
            CREATE SEQUENCE tries;
            CREATE FUNCTION fail_twice() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW."Name" = 'stubborn' AND nextval('tries') < 3 THEN RAISE SQLSTATE '40001'; END IF; RETURN NULL; END $$;
            CREATE CONSTRAINT TRIGGER fail_twice AFTER UPDATE ON "Customers" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail_twice()
            """);
        await using var services = Services(o => databases.Configure(o.UseNpgsql(n => n.EnableRetryOnFailure(5, TimeSpan.FromMilliseconds(50), null)), ReadContract.Primary));
        await using var context = services.GetRequiredService<ShardedDbContextFactory<ShopContext>>().CreateDbContext();
        foreach (var id in customers)
        {
            (await context.Customers.SingleAsync(c => c.Id == id)).Name = "stubborn";
        }

        Assert.Equal(4, await context.SaveChangesAsync());
        foreach (var id in customers)
        {
            Assert.Equal("stubborn", await NameOfAsync(id));
        }
    }

    [Fact]
    public async Task Two_that_wait_for_each_other_crosswise_are_parted_by_the_lock_timeout()
    {
        var customers = databases.CustomerOfEachShard();
        await using var services = Services(o => databases.Configure(o, ReadContract.Primary, more: s => s.CommitAcrossShards(CommitProtocol.TwoPhase, TimeSpan.FromMilliseconds(300))));
        await using var context = services.GetRequiredService<ShardedDbContextFactory<ShopContext>>().CreateDbContext();
        foreach (var id in customers)
        {
            (await context.Customers.SingleAsync(c => c.Id == id)).Name = "crosswise";
        }

        // Holds a row of the last shard, and so stands for a writer that would come to the first one next.
        await using var other = databases.Sharded.CreateDbContext(ShardKey.Of(customers[3]));
        await using (var transaction = await other.Database.BeginTransactionAsync())
        {
            await other.Customers.Where(c => c.Id == customers[3]).ExecuteUpdateAsync(s => s.SetProperty(c => c.Name, c => c.Name));
            var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => context.SaveChangesAsync());
            Assert.Equal(PostgresErrorCodes.LockNotAvailable, Assert.IsType<PostgresException>(failure.InnerException?.InnerException).SqlState);
        }
    }

    [Fact]
    public async Task What_cannot_be_saved_together_is_refused()
    {
        var customers = databases.CustomerOfEachShard();
        await using var context = databases.Sharded.CreateDbContext();
        foreach (var id in customers)
        {
            (await context.Customers.SingleAsync(c => c.Id == id)).Name = "refused";
        }

        context.Database.AutoTransactionBehavior = AutoTransactionBehavior.Never;
        var refusal = await Assert.ThrowsAsync<CrossShardException>(() => context.SaveChangesAsync());
        Assert.Equal((CrossShardReason.SeveralShards, 4), (refusal.Reason, refusal.Shards.Count));
        Assert.Contains("AutoTransactionBehavior at WhenNeeded", refusal.Message, StringComparison.Ordinal);
        context.Database.AutoTransactionBehavior = AutoTransactionBehavior.WhenNeeded;
        using (new TransactionScope(TransactionScopeAsyncFlowOption.Enabled))
        {
            refusal = await Assert.ThrowsAsync<CrossShardException>(() => context.SaveChangesAsync());
            Assert.Equal(CrossShardReason.OpenTransaction, refusal.Reason);
        }

        await using var bound = databases.Sharded.CreateDbContext(ShardKey.Of(customers[0]));
        bound.AddRange(new Order { CustomerId = customers[0] }, new Order { CustomerId = customers[1] });
        refusal = await Assert.ThrowsAsync<CrossShardException>(() => bound.SaveChangesAsync());
        Assert.Equal(CrossShardReason.OutsideBoundShard, refusal.Reason);
    }

    [Fact]
    public async Task A_shard_without_its_table_of_decisions_is_named()
    {
        var customers = databases.CustomerOfEachShard();
        await using var services = Services(o => databases.Configure(o, ReadContract.Primary, connections: databases.ConnectionsOf(maxPoolSize: 5)));
        var process = services.GetRequiredService<ShardedDbContextFactory<ShopContext>>();
        await OnShardAsync(customers[0], "ALTER TABLE efscaling.decision RENAME TO decision_elsewhere");
        try
        {
            Assert.Contains("Database.EnsureShardTransactionsCreatedAsync()", (await Assert.ThrowsAsync<InvalidOperationException>(SaveAsync)).Message, StringComparison.Ordinal);

            // Rows of reference tables make no difference, unless there are no others.
            await using var context = process.CreateDbContext();
            var product = new Product { Id = 2_000 + _lastName, Name = NewName() };
            context.AddRange(product, new Order { CustomerId = customers[0] });
            await Assert.ThrowsAsync<InvalidOperationException>(() => context.SaveChangesAsync());
            Assert.Equal(0, await context.Products.CountAsync(p => p.Id == product.Id));
            context.ChangeTracker.Clear();
            context.Add(product);
            Assert.Equal(1, await context.SaveChangesAsync());
        }
        finally
        {
            await OnShardAsync(customers[0], "ALTER TABLE efscaling.decision_elsewhere RENAME TO decision");
        }

        // A process that has found it there meets its loss at the end of a transaction, of which nothing is left.
        await SaveAsync();
        await OnShardAsync(customers[0], "ALTER TABLE efscaling.decision RENAME TO decision_elsewhere");
        try
        {
            Assert.Equal(PostgresErrorCodes.UndefinedTable, (await Assert.ThrowsAsync<PostgresException>(SaveAsync)).SqlState);
            Assert.Equal(0, await databases.CountPreparedAsync());
            Assert.Contains("Database.EnsureShardTransactionsCreatedAsync()", (await Assert.ThrowsAsync<InvalidOperationException>(SaveAsync)).Message, StringComparison.Ordinal);
        }
        finally
        {
            await OnShardAsync(customers[0], "ALTER TABLE efscaling.decision_elsewhere RENAME TO decision");
        }

        await SaveAsync();

        async Task SaveAsync()
        {
            await using var context = process.CreateDbContext();
            context.AddRange(new Order { CustomerId = customers[0] }, new Order { CustomerId = customers[1] });
            await context.SaveChangesAsync();
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_session_sees_its_save_and_cached_results_are_old_on_every_shard(bool inTransaction)
    {
        var customers = databases.CustomerOfEachShard();
        var name = NewName();
        await using var redis = await RedisServer.StartAsync();
        await using var services = Services(o => databases.Configure(o, ReadContract.Session, c => c.Redis(redis.Endpoint)));
        var factory = services.GetRequiredService<ShardedDbContextFactory<ShopContext>>();
        using var session = ConsistencySession.Begin();
        foreach (var id in customers)
        {
            await Eventually.ThatAsync(
                async () =>
                {
                    await using var context = factory.CreateDbContext();
                    await CachedAsync(context, id);
                    return context.Database.LastRouting() is { Cache.IsHit: true };
                },
                TimeSpan.FromSeconds(20),
                "the cache answers for the shard");
        }

        await using (var context = factory.CreateDbContext())
        {
            foreach (var id in customers)
            {
                (await context.Customers.SingleAsync(c => c.Id == id)).Name = name;
            }

            await using var transaction = inTransaction ? await context.Database.BeginTransactionAsync() : null;
            await context.SaveChangesAsync();
            if (transaction is not null)
            {
                await transaction.CommitAsync();
            }
        }

        // One for each shard, although the shards of these tests are on one server with one log.
        var token = session.Token;
        Assert.Equal(customers.Length, token.Positions.Length);
        Assert.All(token.Positions, p => Assert.True(p.Position.Value > 0));
        Assert.False(token.IsUnknown);
        foreach (var id in customers)
        {
            await using var context = factory.CreateDbContext();
            Assert.Equal(name, await CachedAsync(context, id));
            Assert.Equal(name, (await context.Customers.AsNoTracking().SingleAsync(c => c.Id == id)).Name);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_interceptor_that_throws_behind_the_commit_keeps_no_shard_from_making_cached_results_old(bool async)
    {
        var customers = databases.CustomerOfEachShard();
        var name = NewName();
        var grumbler = new Grumbler();
        await using var redis = await RedisServer.StartAsync();
        await using var services = Services(o => databases.Configure(o.AddInterceptors(grumbler), ReadContract.Session, c => c.Redis(redis.Endpoint)));
        var factory = services.GetRequiredService<ShardedDbContextFactory<ShopContext>>();
        using var session = ConsistencySession.Begin();
        foreach (var id in customers)
        {
            await Eventually.ThatAsync(
                async () =>
                {
                    await using var context = factory.CreateDbContext();
                    await CachedAsync(context, id);
                    return context.Database.LastRouting() is { Cache.IsHit: true };
                },
                TimeSpan.FromSeconds(20),
                "the cache answers for the shard");
        }

        await using (var context = factory.CreateDbContext())
        {
            foreach (var id in customers)
            {
                (await context.Customers.SingleAsync(c => c.Id == id)).Name = name;
            }

            grumbler.Throws = true;
            await Assert.ThrowsAsync<NotSupportedException>(() => async ? context.SaveChangesAsync() : Task.Run(() => context.SaveChanges()));
            grumbler.Throws = false;
        }

        foreach (var id in customers)
        {
            await using var context = factory.CreateDbContext();
            Assert.Equal(name, await CachedAsync(context, id));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_is_saved_after_connections_could_not_be_closed_is_no_part_of_what_was_rolled_back(bool async)
    {
        var customers = databases.CustomerOfEachShard();
        var (name, later) = (NewName(), NewName());
        var stuck = new StuckConnections();
        await using var services = Services(o => databases.Configure(o.AddInterceptors(stuck), ReadContract.Primary));
        var factory = services.GetRequiredService<ShardedDbContextFactory<ShopContext>>();
        await using (var context = factory.CreateDbContext())
        {
            foreach (var id in customers)
            {
                (await context.Customers.SingleAsync(c => c.Id == id)).Name = name;
            }

            // The last shard has no such order.
            context.Add(new OrderLine { CustomerId = customers[^1], OrderId = int.MaxValue, Number = 1, ProductId = 1, Count = 1 });
            stuck.Throws = true;
            await Assert.ThrowsAsync<NotSupportedException>(() => async ? context.SaveChangesAsync() : Task.Run(() => context.SaveChanges()));
            stuck.Throws = false;
            context.ChangeTracker.Clear();
            foreach (var id in customers)
            {
                (await context.Customers.SingleAsync(c => c.Id == id)).Name = later;
                Assert.Equal(1, async ? await context.SaveChangesAsync() : context.SaveChanges());
            }
        }

        foreach (var id in customers)
        {
            Assert.Equal(later, await NameOfAsync(id));
        }

        // The pool lends the same context again.
        await using (var context = factory.CreateDbContext())
        {
            await using var transaction = await context.Database.BeginTransactionAsync();
            await context.Customers.Where(c => customers.Contains(c.Id)).ExecuteUpdateAsync(s => s.SetProperty(c => c.Name, name));
            await transaction.CommitAsync();
        }

        Assert.Equal(name, await NameOfAsync(customers[^1]));
    }

    private static string NewName() => $"saved {Interlocked.Increment(ref _lastName)}";

    private static ServiceProvider Services(Action<DbContextOptionsBuilder> configure) =>
        new ServiceCollection().AddShardedDbContextFactory<ShopContext>((_, o) => configure(o)).BuildServiceProvider();

    private static Task<string> CachedAsync(ShopContext context, int id) => context.Customers.Where(c => c.Id == id).Select(c => c.Name).Cacheable().SingleAsync();

    private async Task<string> NameOfAsync(int id)
    {
        await using var context = databases.Sharded.CreateDbContext();
        return await context.Customers.Where(c => c.Id == id).Select(c => c.Name).SingleAsync();
    }

    private async Task OnShardAsync(int customer, string sql)
    {
        await using var context = databases.Sharded.CreateDbContext(ShardKey.Of(customer));
        await context.Database.ExecuteSqlRawAsync(sql);
    }

    private sealed class Grumbler : DbTransactionInterceptor
    {
        public bool Throws { get; set; }

        public override void TransactionCommitted(System.Data.Common.DbTransaction transaction, TransactionEndEventData eventData)
        {
            if (Throws)
            {
                throw new NotSupportedException();
            }
        }

        public override Task TransactionCommittedAsync(System.Data.Common.DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken = default)
        {
            TransactionCommitted(transaction, eventData);
            return Task.CompletedTask;
        }
    }

    private sealed class StuckConnections : DbConnectionInterceptor
    {
        public bool Throws { get; set; }

        public override InterceptionResult ConnectionClosing(System.Data.Common.DbConnection connection, ConnectionEventData eventData, InterceptionResult result) =>
            Throws ? throw new NotSupportedException() : result;

        public override ValueTask<InterceptionResult> ConnectionClosingAsync(System.Data.Common.DbConnection connection, ConnectionEventData eventData, InterceptionResult result) =>
            new(ConnectionClosing(connection, eventData, result));
    }
}
