using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Transactions;
using EfScaling.Diagnostics;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Projections;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace EfScaling.IntegrationTests.Projections;

/// <summary>A read model follows what is committed, whatever fails on the way.</summary>
public sealed class ProjectionTests(ClusterFixture fixture)
{
    private static readonly TimeSpan _deadline = TimeSpan.FromSeconds(30);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task View_follows_inserts_updates_and_deletes(bool retries)
    {
        await using var database = await OrderDatabase.CreateAsync(fixture.Cluster);
        var instance = await database.Instance(o => o.Retries = retries).StartAsync();
        var order = new Order
        {
            Customer = new Customer { Name = "Ada" },
            Address = new OrderAddress { City = "London" },
            Lines = [new OrderLine { Product = "pen", Price = 2 }, new OrderLine { Product = "ink", Price = 3 }],
        };
        var other = new Order { Lines = [new OrderLine { Product = "cup", Price = 7 }] };

        await FollowsAsync(async c => await c.AddRangeAsync(order, other));
        Assert.Contains(await instance.ViewsAsync(), v => v.StartsWith($"{order.Id}: Ada, London, 5.00, ", StringComparison.Ordinal));

        await FollowsAsync(async c => (await c.Lines.SingleAsync(l => l.Product == "pen")).Price = 20);
        await FollowsAsync(async c => (await c.Orders.SingleAsync(o => o.Id == order.Id)).Address!.City = "Paris");
        await FollowsAsync(async c => (await c.Customers.SingleAsync()).Name = "Grace");
        await FollowsAsync(async c => (await c.Lines.SingleAsync(l => l.Product == "ink")).OrderId = other.Id);
        await FollowsAsync(async c => c.Remove(await c.Lines.SingleAsync(l => l.Product == "pen")));
        await FollowsAsync(async c => c.Remove(await c.Orders.SingleAsync(o => o.Id == order.Id)));
        Assert.StartsWith($"{other.Id}: , , 10.00, ", Assert.Single(await instance.ViewsAsync()), StringComparison.Ordinal);

        async Task FollowsAsync(Func<OrderContext, Task> write)
        {
            await instance.WriteAsync(write);
            await instance.UntilAppliedAsync();
            Assert.Equal(await instance.ExpectedAsync(), await instance.ViewsAsync());
            Assert.Equal(0, await instance.RowsAsync());
        }
    }

    [Fact]
    public async Task Synchronous_saves_are_followed_too()
    {
        await using var database = await OrderDatabase.CreateAsync(fixture.Cluster);
        var instance = await database.Instance().StartAsync();

        await using (var context = instance.Context())
        {
            context.Add(new Order { Lines = [new OrderLine { Product = "pen", Price = 2 }] });
            context.SaveChanges();
            context.Orders.Single().Note = "changed";
            context.SaveChanges();
            Assert.Equal(ProjectionWait.Applied, await context.Database.WaitForProjectionAsync<OrderView>(_deadline));
        }

        Assert.Equal(await instance.ExpectedAsync(), await instance.ViewsAsync());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Outbox_has_a_change_when_it_is_committed_and_only_then(bool commits)
    {
        await using var database = await OrderDatabase.CreateAsync(fixture.Cluster);
        var instance = database.Instance();

        await using (var context = instance.Context())
        {
            await using var transaction = await context.Database.BeginTransactionAsync();
            context.Add(new Order());
            await context.SaveChangesAsync();
            context.Add(new Order());
            context.SaveChanges();
            Assert.Equal(0, await instance.RowsAsync());
            await (commits ? transaction.CommitAsync() : transaction.RollbackAsync());
        }

        Assert.Equal(commits ? 2 : 0, await instance.RowsAsync());

        await using (var context = instance.Context())
        {
            using var scope = new TransactionScope(TransactionScopeAsyncFlowOption.Enabled);
            context.Add(new Order());
            await context.SaveChangesAsync();
            if (commits)
            {
                scope.Complete();
            }
        }

        Assert.Equal(commits ? 3 : 0, await instance.RowsAsync());

        await using (var context = instance.Context())
        {
            context.AddRange(new Order(), new Order { Lines = commits ? [] : [new OrderLine { Product = null! }] });
            if (commits)
            {
                await context.SaveChangesAsync();
            }
            else
            {
                await Assert.ThrowsAsync<DbUpdateException>(() => context.SaveChangesAsync());
            }

            Assert.True(context.Database.AutoSavepointsEnabled);
        }

        Assert.Equal(commits ? 5 : 0, await instance.RowsAsync());
        Assert.Equal(commits ? 5 : 0, (await instance.ExpectedAsync()).Count);
    }

    [Fact]
    public async Task Changes_that_no_projection_follows_write_nothing()
    {
        await using var database = await OrderDatabase.CreateAsync(fixture.Cluster);
        var instance = database.Instance();

        await instance.WriteAsync(async c => await c.AddAsync(new OrderView { OrderId = 1 }));

        Assert.Equal(0, await instance.RowsAsync());
    }

    [Fact]
    public async Task Many_dispatchers_lose_nothing_and_have_each_key_one_at_a_time()
    {
        await using var database = await OrderDatabase.CreateAsync(fixture.Cluster);
        var store = new RecordingStore();
        var instances = new[] { database.Instance(Configure), database.Instance(Configure), database.Instance(Configure) };
        var seed = Random.Shared.Next();
        var ids = new List<int>();
        for (var i = 0; i < 20; i++)
        {
            ids.Add(await instances[0].AddOrderAsync(null, i));
        }

        await Task.WhenAll(instances.Select(i => i.StartAsync()));
        await Task.WhenAll(Enumerable.Range(0, 4).Select(async writer =>
        {
            var random = new Random(seed + writer);
            for (var i = 0; i < 60; i++)
            {
                var (id, price) = (ids[random.Next(ids.Count)], random.Next(1000));
                await instances[writer % 3].WriteAsync(async c => (await c.Lines.SingleAsync(l => l.OrderId == id)).Price = price);
            }
        }));
        await instances[0].UntilAppliedAsync();

        var expected = await instances[0].ExpectedAsync();
        Assert.True(expected.SequenceEqual(store.Views), $"Seed {seed}:\n{string.Join('\n', expected)}\nbut the store has\n{string.Join('\n', store.Views)}");
        Assert.Equal(0, store.Overlaps);
        Assert.All(store.Calls.GroupBy(c => c.Key), calls => Assert.Equal(calls.Select(c => c.Version).Distinct().Order(), calls.Select(c => c.Version)));
        Assert.Equal(0, instances.Sum(i => i.Log.Count(EfScalingEventId.ProjectionFailed)));

        void Configure(OrderInstanceOptions options) => (options.Store, options.Settings) = (_ => store, p => p.BatchSize(7));
    }

    [Fact]
    public async Task What_was_applied_when_the_process_ended_is_applied_again_with_the_same_result()
    {
        await using var database = await OrderDatabase.CreateAsync(fixture.Cluster);
        var store = new RecordingStore();
        var written = new TaskCompletionSource();
        store.AfterWrite = async token =>
        {
            written.TrySetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, token);
        };
        var first = await database.Instance(o => o.Store = _ => store).StartAsync();
        await first.AddOrderAsync(null, 1, 2);

        await written.Task.WaitAsync(_deadline);
        await first.StopAsync();
        Assert.Equal(1, await first.RowsAsync());

        store.AfterWrite = _ => Task.CompletedTask;
        var second = await database.Instance(o => o.Store = _ => store).StartAsync();
        await second.UntilAppliedAsync();

        Assert.Equal(2, store.Calls.Count);
        Assert.Equal(store.Calls.First().View, store.Calls.Last().View);
        Assert.True(store.Calls.First().Version < store.Calls.Last().Version);
        Assert.Equal(await second.ExpectedAsync(), store.Views);
        Assert.Equal(0, await second.RowsAsync());
    }

    [Fact]
    public async Task Connection_lost_in_the_middle_changes_nothing_and_the_change_is_applied_again()
    {
        await using var database = await OrderDatabase.CreateAsync(fixture.Cluster);
        var breaks = 3;
        var instance = await database.Instance(o => o.Build = async (db, id, token) =>
        {
            var view = await OrderContext.BuildAsync(db, id, token);
            if (Interlocked.Decrement(ref breaks) >= 0)
            {
                await TerminateDispatchersAsync(database, token);
            }

            return view;
        }).StartAsync();

        await instance.AddOrderAsync(null, 1, 2);
        await instance.UntilAppliedAsync();

        Assert.True(breaks < 0);
        Assert.Equal(await instance.ExpectedAsync(), await instance.ViewsAsync());
        Assert.Equal(0, instance.Log.Count(EfScalingEventId.ProjectionParked));
        Assert.NotEqual(0, instance.Log.Count(EfScalingEventId.ProjectionFailed));
    }

    [Fact]
    public async Task Key_that_was_written_late_is_announced_again_when_another_dispatcher_has_had_it_meanwhile()
    {
        await using var database = await OrderDatabase.CreateAsync(fixture.Cluster);
        var store = new RecordingStore();
        var instance = database.Instance(o => o.Store = _ => store);
        store.AfterWrite = async token =>
        {
            if (store.Calls.Count == 1)
            {
                await TerminateDispatchersAsync(database, token);
                await OnDatabaseAsync(instance, "DELETE FROM efscaling.outbox");
            }
        };
        await instance.StartAsync();
        await instance.AddOrderAsync(null, 1);

        await Eventually.ThatAsync(() => store.Calls.Count > 1, _deadline, "the view to be written again");
        await instance.UntilAppliedAsync();
        Assert.Equal(await instance.ExpectedAsync(), store.Views);
    }

    [Fact]
    public async Task Key_that_always_fails_is_parked_with_the_reason_and_the_rest_goes_on_until_it_is_mended()
    {
        await using var database = await OrderDatabase.CreateAsync(fixture.Cluster);
        var isMended = false;
        var instance = database.Instance(o =>
        {
            o.Settings = p => p.MaxAttempts(3);
            o.Build = async (db, id, token) =>
                await db.Orders.AnyAsync(x => x.Id == id && x.Note == "poison", token) && !Volatile.Read(ref isMended)
                    ? throw new InvalidOperationException("No view can be made of it; Password=hunter2\nsecond line")
                    : await OrderContext.BuildAsync(db, id, token);
        });
        await instance.AddOrderAsync(null, 1);
        var poison = await instance.AddOrderAsync("poison", 2);
        await instance.AddOrderAsync(null, 3);
        await instance.StartAsync();
        await instance.UntilAppliedAsync();

        await using var context = instance.Context();
        var parked = Assert.Single(await context.Database.GetParkedAsync<OrderView>());
        Assert.Equal((ProjectionKey.Format(poison), string.Empty, 3), (parked.Key, parked.Source, parked.Attempts));
        Assert.Equal("InvalidOperationException: No view can be made of it; Password=***", parked.Reason);
        Assert.Equal((await instance.ExpectedAsync()).Where(v => !v.StartsWith($"{poison}:", StringComparison.Ordinal)), await instance.ViewsAsync());
        Assert.Equal(1, instance.Log.Count(EfScalingEventId.ProjectionParked));
        Assert.Equal(2, instance.Log.Count(EfScalingEventId.ProjectionFailed));

        // Others go on after it, too, and a session that waits is told.
        context.Add(new Order());
        await context.SaveChangesAsync();
        Assert.Equal(ProjectionWait.Parked, await context.Database.WaitForProjectionAsync<OrderView>(_deadline));
        Assert.Equal(3, (await instance.ViewsAsync()).Count);

        Volatile.Write(ref isMended, true);
        Assert.Equal(1, await context.Database.RetryParkedAsync<OrderView>());
        await instance.UntilAppliedAsync();
        Assert.Equal(await instance.ExpectedAsync(), await instance.ViewsAsync());
        Assert.Equal(0, await instance.RowsAsync());
    }

    [Fact]
    public async Task Outage_of_the_store_parks_nothing()
    {
        await using var database = await OrderDatabase.CreateAsync(fixture.Cluster);
        var store = new RecordingStore();
        var failures = 12;
        store.AfterWrite = _ => Interlocked.Decrement(ref failures) >= 0 ? throw new InvalidOperationException("The store is away.") : Task.CompletedTask;
        var instance = await database.Instance(o => (o.Store, o.Settings) = (_ => store, p => p.MaxAttempts(2))).StartAsync();

        await instance.AddOrderAsync(null, 1);
        await instance.AddOrderAsync(null, 2);
        await instance.UntilAppliedAsync();

        Assert.True(failures < 0);
        Assert.Equal(await instance.ExpectedAsync(), store.Views);
        Assert.Equal(0, instance.Log.Count(EfScalingEventId.ProjectionParked));
        Assert.NotEqual(0, instance.Log.Count(EfScalingEventId.ProjectionPaused));
    }

    [Fact]
    public async Task Outage_uses_up_no_attempts_of_a_key()
    {
        await using var database = await OrderDatabase.CreateAsync(fixture.Cluster);
        var store = new RecordingStore();
        var (outages, faults) = (4, 1);
        store.AfterWrite = _ => Interlocked.Decrement(ref outages) >= 0 ? throw new InvalidOperationException("The store is away.") : Task.CompletedTask;
        var instance = await database.Instance(o =>
        {
            (o.Store, o.Settings) = (_ => store, p => p.MaxAttempts(2));
            o.Build = (db, id, token) => Volatile.Read(ref outages) <= 0 && Interlocked.Decrement(ref faults) >= 0
                ? throw new InvalidOperationException("No view can be made of it.")
                : OrderContext.BuildAsync(db, id, token);
        }).StartAsync();

        await instance.AddOrderAsync(null, 1);
        await instance.UntilAppliedAsync();

        Assert.True(faults < 0);
        Assert.Equal(0, instance.Log.Count(EfScalingEventId.ProjectionParked));
        Assert.Equal(await instance.ExpectedAsync(), store.Views);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Key_whose_view_always_takes_too_long_is_parked_and_holds_up_no_other(bool breaks)
    {
        await using var database = await OrderDatabase.CreateAsync(fixture.Cluster);
        var instance = database.Instance(o =>
        {
            o.Settings = p => p.MaxAttempts(3);
            o.Build = async (db, id, token) => await db.Orders.AnyAsync(x => x.Id == id && x.Note == "slow", token)
                ? throw (breaks ? new IOException("It broke.") : new TimeoutException("It took too long."))
                : await OrderContext.BuildAsync(db, id, token);
        });
        var slow = await instance.AddOrderAsync("slow", 1);
        await instance.AddOrderAsync(null, 2);
        await instance.StartAsync();
        await instance.UntilAppliedAsync();

        await using var context = instance.Context();
        Assert.Equal(ProjectionKey.Format(slow), Assert.Single(await context.Database.GetParkedAsync<OrderView>()).Key);
        Assert.Equal((await instance.ExpectedAsync())[1..], await instance.ViewsAsync());
        Assert.Equal(0, instance.Log.Count(EfScalingEventId.ProjectionPaused));
    }

    [Fact]
    public async Task Changes_of_a_source_that_only_newer_instances_have_are_left_to_them()
    {
        await using var database = await OrderDatabase.CreateAsync(fixture.Cluster);
        var instance = await database.Instance().StartAsync();
        await OnDatabaseAsync(instance, "INSERT INTO efscaling.outbox (projection, source, key) VALUES ('OrderView', 'Supplier.Id', '1')");
        await instance.AddOrderAsync(null, 1);

        await Eventually.ThatAsync(async () => (await instance.StatusAsync()).Pending == 1, _deadline, "the order to be applied");
        Assert.Equal(await instance.ExpectedAsync(), await instance.ViewsAsync());
        Assert.Equal((1, 1, 0), (await instance.StatusAsync()) is var status ? (status.Pending, status.Unknown, status.Parked) : default);
        Assert.Equal(0, instance.Log.Count(EfScalingEventId.ProjectionFailed));

        // Nobody has it any more: the source was removed, and the rebuild that follows makes up for it.
        await using var context = instance.Context();
        await context.Database.RebuildProjectionAsync<OrderView>();
        await instance.UntilAppliedAsync();
        Assert.Equal(0, await instance.RowsAsync());
    }

    [Fact]
    public async Task Lag_of_a_change_of_many_views_begins_when_it_was_written()
    {
        await using var database = await OrderDatabase.CreateAsync(fixture.Cluster);
        var (lags, applied) = (new ConcurrentQueue<double>(), 0L);
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Name is "efscaling.projections.lag" or "efscaling.projections.applied")
            {
                l.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<double>((_, value, tags, _) => Note(tags, () => lags.Enqueue(value)));
        listener.SetMeasurementEventCallback<long>((_, value, tags, _) => Note(tags, () => Interlocked.Add(ref applied, value)));
        var instance = database.Instance(o => o.Settings = p => p.Named("orders for lag"));
        await instance.WriteAsync(c => c.AddRangeAsync(Enumerable.Range(0, 3).Select(_ => new Order { CustomerId = null })));
        await instance.WriteAsync(async c =>
        {
            var customer = new Customer { Name = "Ada" };
            foreach (var order in await c.Orders.ToListAsync())
            {
                order.Customer = customer;
            }
        });
        await OnDatabaseAsync(instance, "DELETE FROM efscaling.outbox");
        await instance.WriteAsync(async c => (await c.Customers.SingleAsync()).Name = "Grace");
        await OnDatabaseAsync(instance, "UPDATE efscaling.outbox SET enqueued_at = enqueued_at - interval '1 hour'");

        listener.Start();
        await instance.StartAsync();
        await Eventually.ThatAsync(() => lags.Count == 3 && Interlocked.Read(ref applied) == 3, _deadline, "three views to be applied and measured");

        Assert.All(lags, lag => Assert.InRange(lag, 3600, 3700));
        Assert.Equal(await instance.ExpectedAsync(), await instance.ViewsAsync());

        static void Note(ReadOnlySpan<KeyValuePair<string, object?>> tags, Action note)
        {
            foreach (var tag in tags)
            {
                if (tag is { Key: "projection", Value: "orders for lag" })
                {
                    note();
                }
            }
        }
    }

    [Fact]
    public async Task Entity_that_was_not_read_is_neither_deleted_nor_announced_under_a_wrong_key()
    {
        await using var database = await OrderDatabase.CreateAsync(fixture.Cluster);
        var instance = await database.Instance().StartAsync();
        await instance.AddOrderAsync(null, 1, 2);
        await instance.UntilAppliedAsync();
        var views = await instance.ViewsAsync();

        await using var context = instance.Context();
        var line = await context.Lines.AsNoTracking().OrderBy(l => l.Id).FirstAsync();
        context.Remove(new OrderLine { Id = line.Id, Product = line.Product });
        await Assert.ThrowsAsync<InvalidOperationException>(() => context.SaveChangesAsync());

        Assert.Equal(0, await instance.RowsAsync());
        Assert.Equal(views, await instance.ExpectedAsync());
    }

    [Fact]
    public async Task Rebuild_comes_again_to_a_key_whose_view_is_being_made()
    {
        await using var database = await OrderDatabase.CreateAsync(fixture.Cluster);
        var (built, go) = (new TaskCompletionSource(), new TaskCompletionSource());
        var instance = database.Instance(o => o.Build = async (db, id, token) =>
        {
            var view = await OrderContext.BuildAsync(db, id, token);
            built.TrySetResult();
            await go.Task.WaitAsync(token);
            return view;
        });
        await instance.AddOrderAsync(null, 1);
        await OnDatabaseAsync(instance, "DELETE FROM efscaling.outbox");
        await using var context = instance.Context();
        Assert.Equal(1, await context.Database.RebuildProjectionAsync<OrderView>());
        Assert.Equal(0, await context.Database.RebuildProjectionAsync<OrderView>());
        await instance.StartAsync();
        await built.Task.WaitAsync(_deadline);

        await context.Lines.ExecuteUpdateAsync(l => l.SetProperty(x => x.Price, 50));
        Assert.Equal(1, await context.Database.RebuildProjectionAsync<OrderView>());
        go.SetResult();
        await instance.UntilAppliedAsync();

        Assert.Equal(await instance.ExpectedAsync(), await instance.ViewsAsync());
    }

    [Fact]
    public async Task Rebuild_makes_every_view_again_while_writers_go_on()
    {
        await using var database = await OrderDatabase.CreateAsync(fixture.Cluster);
        var instance = database.Instance(o => o.Settings = p => p.BatchSize(20));
        for (var i = 0; i < 10; i++)
        {
            await instance.WriteAsync(c => c.AddRangeAsync(Enumerable.Range(0, 15).Select(n => new Order { Lines = [new OrderLine { Product = $"p{n}", Price = n }] })));
        }

        // As if they had been written before the projection existed, and by an earlier version of it.
        await ExecuteAsync("DELETE FROM efscaling.outbox");
        await ExecuteAsync("""INSERT INTO "Views" ("OrderId", "Total", "Lines") SELECT "Id", 999, '[]' FROM "Orders" WHERE "Id" % 3 = 0""");
        await ExecuteAsync("""INSERT INTO "Views" ("OrderId", "Total", "Lines") VALUES (-5, 999, '[]'), (5000, 999, '[]')""");
        await instance.StartAsync();

        using var stop = new CancellationTokenSource();
        var writer = Task.Run(async () =>
        {
            for (var i = 1; !stop.IsCancellationRequested; i++)
            {
                await instance.AddOrderAsync(null, i);
                await instance.WriteAsync(async c => (await c.Lines.OrderBy(l => l.Id).Skip(i % 100).FirstAsync()).Price = 100 + i);
            }
        });
        await using var context = instance.Context();
        var announced = await context.Database.RebuildProjectionAsync<OrderView>();
        await Eventually.ThatAsync(async () => (await instance.StatusAsync()).Rebuilding == 0, _deadline, "the rebuild to end");
        await stop.CancelAsync();
        await writer;
        await instance.UntilAppliedAsync();

        Assert.True(announced >= 152, $"{announced} keys were announced.");
        Assert.Equal(await instance.ExpectedAsync(), await instance.ViewsAsync());

        Task<int> ExecuteAsync(string sql) => OnDatabaseAsync(instance, sql);
    }

    [Fact]
    public async Task Rebuild_comes_to_keys_of_every_type_over_many_pages()
    {
        await using var database = await OrderDatabase.CreateAsync(fixture.Cluster);
        var (byId, byCode) = (new ConcurrentDictionary<Guid, int>(), new ConcurrentDictionary<string, int>());
        var instance = await database.Instance(o => o.Services = services =>
        {
            services.AddProjection<OrderContext, ParcelView>(p => p.BatchSize(500).Key(v => v.Id).On<Parcel>(x => x.Id).Apply((_, id, _) => Count(byId, id)));
            services.AddProjection<OrderContext, CodeView>(p => p.BatchSize(500).Key(v => v.Code).On<Parcel>(x => x.Code).Apply((_, code, _) => Count(byCode, code)));
        }).StartAsync();
        await OnDatabaseAsync(
            instance,
            """INSERT INTO "Parcels" ("Id", "Code") SELECT gen_random_uuid(), chr(32 + n % 90) || '-ß' || n / 2 FROM generate_series(0, 2499) AS n""");

        await using var context = instance.Context();
        var (ids, codes) = (await context.Parcels.Select(p => p.Id).ToListAsync(), await context.Parcels.Select(p => p.Code).Distinct().ToListAsync());
        Assert.Equal(ids.Count, await context.Database.RebuildProjectionAsync<ParcelView>());
        Assert.Equal(codes.Count, await context.Database.RebuildProjectionAsync<CodeView>());
        await Eventually.ThatAsync(() => byId.Count == ids.Count && byCode.Count == codes.Count, _deadline, "all keys to be applied");

        Assert.Equal(ids.Order(), byId.Keys.Order());
        Assert.Equal(codes.Order(StringComparer.Ordinal), byCode.Keys.Order(StringComparer.Ordinal));

        static Task Count<TKey>(ConcurrentDictionary<TKey, int> counts, TKey key)
            where TKey : notnull
        {
            counts.AddOrUpdate(key, 1, (_, n) => n + 1);
            return Task.CompletedTask;
        }
    }

    [Fact]
    public async Task Changes_beside_SaveChanges_are_followed_when_they_are_announced()
    {
        await using var database = await OrderDatabase.CreateAsync(fixture.Cluster);
        var instance = await database.Instance().StartAsync();
        var id = await instance.AddOrderAsync(null, 1);
        await instance.UntilAppliedAsync();

        await using var context = instance.Context();
        await using (var transaction = await context.Database.BeginTransactionAsync())
        {
            await context.Lines.ExecuteUpdateAsync(l => l.SetProperty(x => x.Price, 50));
            await context.Database.EnqueueProjectionAsync<OrderView>([id]);
            await transaction.CommitAsync();
        }

        Assert.Equal(ProjectionWait.Applied, await context.Database.WaitForProjectionAsync<OrderView>(_deadline));
        Assert.Equal([$"{id}: , , 50.00, p0=50.00"], await instance.ViewsAsync());
        await Assert.ThrowsAsync<ArgumentException>(() => context.Database.EnqueueProjectionAsync<OrderView>(["text"]));
    }

    [Fact]
    public async Task Documents_follow_what_is_committed()
    {
        await using var database = await OrderDatabase.CreateAsync(fixture.Cluster);
        var instance = await database.Instance(o => o.IntoDocuments = true).StartAsync();
        var id = await instance.AddOrderAsync(null, 1, 2);
        await instance.UntilAppliedAsync();
        Assert.Equal($"{id}: , , 3.00, p0=1.00 p1=2.00", (await instance.Documents.FindAsync(ProjectionKey.Format(id)))?.ToString());

        await instance.WriteAsync(async c => c.Remove(await c.Orders.SingleAsync()));
        await instance.UntilAppliedAsync();
        Assert.Null(await instance.Documents.FindAsync(ProjectionKey.Format(id)));
    }

    [Fact]
    public async Task Outbox_of_the_call_is_that_of_the_model()
    {
        await using var mapped = await OrderDatabase.CreateAsync(fixture.Cluster);
        await using var called = await OrderDatabase.CreateAsync(fixture.Cluster, withTables: false);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(async _ =>
        {
            await using var context = called.Instance().Context();
            await context.Database.EnsureOutboxCreatedAsync();
            await context.Database.EnsureOutboxCreatedAsync();
        }));

        Assert.Equal(await ShapeAsync(mapped), await ShapeAsync(called));

        static async Task<List<string>> ShapeAsync(OrderDatabase database)
        {
            await using var context = database.Instance().Context();
            return await context.Database.SqlQueryRaw<string>(
                """
                SELECT concat_ws(' ', ordinal_position, column_name, data_type, is_nullable, column_default, identity_generation) AS "Value"
                FROM information_schema.columns WHERE table_schema = 'efscaling'
                UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'efscaling'
                ORDER BY 1
                """).ToListAsync();
        }
    }

    [Fact]
    public async Task Without_the_outbox_a_save_fails_and_says_what_to_call()
    {
        await using var database = await OrderDatabase.CreateAsync(fixture.Cluster);
        var instance = database.Instance();
        await OnDatabaseAsync(instance, "DROP TABLE efscaling.outbox");

        await using var context = instance.Context();
        context.Add(new Order());
        var exception = await Assert.ThrowsAnyAsync<Exception>(() => context.SaveChangesAsync());

        Assert.Contains("EnsureOutboxCreatedAsync", exception.ToString(), StringComparison.Ordinal);
        Assert.Empty(await instance.ExpectedAsync());
    }

    private static Task<int> TerminateDispatchersAsync(OrderDatabase database, CancellationToken cancellationToken) => database.Cluster.Primary.ExecuteAsync(
        $"SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = '{database.Name}')",
        cancellationToken);

    private static async Task<int> OnDatabaseAsync(OrderInstance instance, string sql)
    {
        await using var context = instance.Context();
        return await context.Database.ExecuteSqlRawAsync(sql);
    }
}
