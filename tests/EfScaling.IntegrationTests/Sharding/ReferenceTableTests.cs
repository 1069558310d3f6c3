using System.Transactions;
using EfScaling.Caching;
using EfScaling.Consistency;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace EfScaling.IntegrationTests.Sharding;

/// <summary>Reference tables are written on every shard, in one way and in one order, or on none; and what is between is said exactly.</summary>
public sealed class ReferenceTableTests(PressDatabases databases) : IClassFixture<PressDatabases>
{
    private static int _lastId = 100;

    [Fact]
    public async Task SaveChanges_writes_every_copy()
    {
        var (id, other) = (NewId(), NewId());
        await using var context = databases.Sharded.CreateDbContext();
        var topic = new Topic { Id = id, Name = "new" };
        context.AddRange(topic, new Topic { Id = other, Name = "short-lived" });
        Assert.Equal(2, await context.SaveChangesAsync());
        Assert.Equal(EntityState.Unchanged, context.Entry(topic).State);
        Assert.Equal(["new", "new", "new"], await NamesOf(id));
        topic.Name = "changed";
        topic.Version++;
        context.Remove(context.Topics.Local.FindEntry(other)!.Entity);
        Assert.Equal(2, context.SaveChanges());
        Assert.Equal(["changed", "changed", "changed"], await NamesOf(id));
        Assert.Empty(await NamesOf(other));
    }

    [Fact]
    public async Task A_lost_update_is_noticed_and_nothing_is_written_anywhere()
    {
        var topic = await AddedAsync("first");
        await using var context = databases.Sharded.CreateDbContext();
        context.Attach(topic);
        await using (var faster = databases.Sharded.CreateDbContext())
        {
            Assert.Equal(1, await faster.Topics.Where(t => t.Id == topic.Id).ExecuteUpdateAsync(s => s.SetProperty(t => t.Version, t => t.Version + 1)));
        }

        topic.Name = "late";
        var lost = await Assert.ThrowsAsync<DbUpdateConcurrencyException>(() => context.SaveChangesAsync());
        Assert.Same(topic, Assert.Single(lost.Entries).Entity);
        Assert.Equal(EntityState.Modified, context.Entry(topic).State);
        Assert.Equal(["first", "first", "first"], await NamesOf(topic.Id));
    }

    [Fact]
    public async Task A_shard_that_refuses_the_row_keeps_it_from_all()
    {
        var id = NewId();
        await OnShardAsync("third", $"INSERT INTO \"Topics\" VALUES ({id}, 'left over', 0)");
        await using var context = databases.Sharded.CreateDbContext();
        var topic = new Topic { Id = id, Name = "new" };
        context.Add(topic);
        var refused = await Assert.ThrowsAsync<DbUpdateException>(() => context.SaveChangesAsync());
        Assert.Same(topic, Assert.Single(refused.Entries).Entity);
        Assert.Equal(["left over"], await NamesOf(id));
    }

    [Fact]
    public async Task A_commit_that_fails_behind_another_is_told_with_each_shard()
    {
        await AtCommitAsync("second", "poison", "RAISE 'refused at commit'");
        var id = NewId();
        await using var services = BestEffort();
        await using var context = services.GetRequiredService<ShardedDbContextFactory<PressContext>>().CreateDbContext();
        context.Add(new Topic { Id = id, Name = "poison" });
        var partial = await Assert.ThrowsAsync<PartialCommitException>(() => context.SaveChangesAsync());
        AssertOutcome(partial, committed: ["first", "third"], notCommitted: ["second"], inDoubt: []);
        Assert.Contains("It is committed on 'first', 'third', not on 'second', and nobody knows about none.", partial.Message, StringComparison.Ordinal);
        Assert.IsType<PostgresException>(partial.InnerException);
        Assert.Equal(2, (await NamesOf(id)).Count);
    }

    [Fact]
    public async Task A_commit_whose_answer_is_lost_is_in_doubt()
    {
        await AtCommitAsync("third", "deadly", "PERFORM pg_terminate_backend(pg_backend_pid())");
        await AtCommitAsync("first", "at once", "PERFORM pg_terminate_backend(pg_backend_pid())");
        await using var services = BestEffort();
        await using var context = services.GetRequiredService<ShardedDbContextFactory<PressContext>>().CreateDbContext();
        context.Add(new Topic { Id = NewId(), Name = "deadly" });
        var partial = await Assert.ThrowsAsync<PartialCommitException>(() => context.SaveChangesAsync());
        AssertOutcome(partial, committed: ["first", "second"], notCommitted: [], inDoubt: ["third"]);
        context.ChangeTracker.Clear();
        var id = NewId();
        context.Add(new Topic { Id = id, Name = "at once" });
        partial = Assert.Throws<PartialCommitException>(() => context.SaveChanges());
        AssertOutcome(partial, committed: [], notCommitted: ["second", "third"], inDoubt: ["first"]);
        Assert.Empty(await NamesOf(id));
    }

    [Fact]
    public async Task A_first_commit_that_fails_leaves_nothing_anywhere()
    {
        await AtCommitAsync("first", "toxic", "RAISE 'refused at commit'");
        var id = NewId();
        await using var services = BestEffort();
        await using var context = services.GetRequiredService<ShardedDbContextFactory<PressContext>>().CreateDbContext();
        context.Add(new Topic { Id = id, Name = "toxic" });
        await Assert.ThrowsAnyAsync<PostgresException>(() => context.SaveChangesAsync());
        Assert.Empty(await NamesOf(id));
    }

    [Theory]
    [InlineData("first", "RAISE 'refused at commit'")]
    [InlineData("third", "RAISE 'refused at commit'")]
    [InlineData("first", "PERFORM pg_terminate_backend(pg_backend_pid())")]
    [InlineData("third", "PERFORM pg_terminate_backend(pg_backend_pid())")]
    public async Task In_two_phases_a_commit_that_fails_anywhere_leaves_nothing_anywhere(string shard, string action)
    {
        var name = $"fatal {NewId()}";
        await AtCommitAsync(shard, name, action);
        foreach (var async in new[] { true, false })
        {
            var id = NewId();
            await using var context = databases.Sharded.CreateDbContext();
            context.Add(new Topic { Id = id, Name = name });
            var failure = await Assert.ThrowsAnyAsync<Exception>(() => async ? context.SaveChangesAsync() : Task.Run(() => context.SaveChanges()));
            Assert.IsType<NpgsqlException>(failure as NpgsqlException ?? failure.InnerException, exactMatch: false);
            Assert.Empty(await NamesOf(id));
        }
    }

    [Fact]
    public async Task An_execution_strategy_tries_again_as_for_one_database()
    {
        await OnShardAsync(
            "second",
            """
            CREATE SEQUENCE tries;
            CREATE FUNCTION fail_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW."Name" = 'stubborn' AND nextval('tries') = 1 THEN RAISE SQLSTATE '40001'; END IF; RETURN NEW; END $$;
            CREATE TRIGGER fail_once BEFORE INSERT ON "Topics" FOR EACH ROW EXECUTE FUNCTION fail_once()
            """);
        await using var services = new ServiceCollection()
            .AddShardedDbContextFactory<PressContext>((_, o) => databases.Configure(o.UseNpgsql(n => n.EnableRetryOnFailure())))
            .BuildServiceProvider();
        await using var context = services.GetRequiredService<ShardedDbContextFactory<PressContext>>().CreateDbContext();
        var id = NewId();
        context.Add(new Topic { Id = id, Name = "stubborn" });
        Assert.Equal(1, await context.SaveChangesAsync());
        Assert.Equal(["stubborn", "stubborn", "stubborn"], await NamesOf(id));
    }

    [Fact]
    public async Task Writes_of_sets_reach_every_copy_if_they_are_the_same_everywhere()
    {
        var topic = await AddedAsync("one");
        await using var context = databases.Sharded.CreateDbContext();
        Assert.Equal(1, await context.Topics.Where(t => t.Id == topic.Id).ExecuteUpdateAsync(s => s.SetProperty(t => t.Name, t => t.Name.Replace("n", "N") + "!")));
        Assert.Equal(["oNe!", "oNe!", "oNe!"], await NamesOf(topic.Id));
        foreach (var differing in new Func<Task>[]
        {
            () => context.Topics.Where(t => t.Id == topic.Id).ExecuteUpdateAsync(s => s.SetProperty(t => t.Name, t => Guid.NewGuid().ToString())),
            () => context.Topics.Where(t => t.Id == topic.Id).ExecuteUpdateAsync(s => s.SetProperty(t => t.Name, t => context.Topics.Max(o => o.Name))),
            () => context.Topics.Where(t => t.Id == topic.Id && context.Topics.Any(o => o.Version > 5)).ExecuteDeleteAsync(),
            () => context.Topics.OrderBy(t => t.Name).Take(1).ExecuteDeleteAsync(),
        })
        {
            var refusal = await Assert.ThrowsAnyAsync<CrossShardException>(differing);
            Assert.Contains("it writes the reference table 'Topics', of which every shard has a copy, by more than its own rows", refusal.Message, StringComparison.Ordinal);
        }

        Assert.Equal(1, context.Topics.Where(t => t.Id == topic.Id).ExecuteDelete());
        Assert.Empty(await NamesOf(topic.Id));
    }

    [Fact]
    public async Task Copies_that_differ_are_not_written_to()
    {
        var topic = await AddedAsync("here and there");
        await OnShardAsync("second", $"DELETE FROM \"Topics\" WHERE \"Id\" = {topic.Id}");
        await using var context = databases.Sharded.CreateDbContext();
        var refusal = await Assert.ThrowsAsync<InvalidOperationException>(() => context.Topics.Where(t => t.Id == topic.Id).ExecuteUpdateAsync(s => s.SetProperty(t => t.Name, "nowhere")));
        Assert.Contains("found 1 rows on the shard 'first' and 0 on 'second': the copies differ, and nothing was written", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(["here and there", "here and there"], await NamesOf(topic.Id));
    }

    [Fact]
    public async Task What_cannot_be_written_together_is_refused_before_anything_is_sent()
    {
        string[] all = ["first", "second", "third"];
        var id = NewId();
        await using (var context = databases.Sharded.CreateDbContext())
        {
            using var scope = new TransactionScope(TransactionScopeAsyncFlowOption.Enabled);
            context.Add(new Topic { Id = id, Name = "in a transaction" });
            var refusal = await Assert.ThrowsAsync<CrossShardException>(() => context.SaveChangesAsync());
            Assert.Equal(CrossShardReason.OpenTransaction, refusal.Reason);
            Assert.Equal(all, refusal.Shards);
            Assert.Contains("write before or after it", refusal.Message, StringComparison.Ordinal);
            await Assert.ThrowsAsync<CrossShardException>(() => context.Topics.ExecuteUpdateAsync(s => s.SetProperty(t => t.Name, "in a transaction")));
        }

        await using (var context = databases.Sharded.CreateDbContextOnShard("second"))
        {
            context.Add(new Topic { Id = id, Name = "on one shard" });
            var refusal = await Assert.ThrowsAsync<CrossShardException>(() => context.SaveChangesAsync());
            Assert.Equal(CrossShardReason.OutsideBoundShard, refusal.Reason);
        }

        Assert.Empty(await NamesOf(id));
    }

    [Fact]
    public async Task One_copy_alone_is_written_by_SQL_only()
    {
        var topic = await AddedAsync("everywhere");
        await using var context = databases.Sharded.CreateDbContextOnShard("second");
        foreach (var write in new Func<Task>[]
        {
            () => context.Topics.Where(t => t.Id == topic.Id).ExecuteUpdateAsync(s => s.SetProperty(t => t.Name, "here")),
            () => context.Topics.Where(t => t.Id == topic.Id).ExecuteUpdateAsync(s => s.SetProperty(t => t.Name, t => Guid.NewGuid().ToString())),
            () => context.Topics.Where(t => t.Id == topic.Id).ExecuteDeleteAsync(),
        })
        {
            var refusal = await Assert.ThrowsAsync<CrossShardException>(write);
            Assert.Equal(CrossShardReason.OutsideBoundShard, refusal.Reason);
            Assert.Contains("bound to the shard 'second' concerns a reference table, of which every shard has a copy", refusal.Message, StringComparison.Ordinal);
        }

        Assert.Equal(["everywhere", "everywhere", "everywhere"], await NamesOf(topic.Id));
        Assert.Equal(1, await context.Database.ExecuteSqlAsync($"UPDATE \"Topics\" SET \"Name\" = {"here"} WHERE \"Id\" = {topic.Id}"));
        Assert.Equal(["everywhere", "here", "everywhere"], await NamesOf(topic.Id));
    }

    [Fact]
    public async Task Writers_at_the_same_time_leave_equal_copies()
    {
        var topic = await AddedAsync("");
        var prefix = $"race {topic.Id} ";
        await Task.WhenAll(Enumerable.Range(0, 6).Select(writer => Task.Run(async () =>
        {
            for (var i = 0; i < 8; i++)
            {
                await using var context = databases.Sharded.CreateDbContext();
                switch (writer % 3)
                {
                    case 0:
                        await context.Topics.Where(t => t.Id == topic.Id).ExecuteUpdateAsync(s => s.SetProperty(t => t.Name, t => t.Name + writer));
                        break;
                    case 1:
                        context.Add(new Topic { Id = NewId(), Name = prefix + "new" });
                        await context.SaveChangesAsync();
                        break;
                    default:
                        // Its condition may see a row that is being added, or not; but the same on all shards.
                        await context.Topics.Where(t => t.Name.StartsWith(prefix)).ExecuteUpdateAsync(s => s.SetProperty(t => t.Version, t => t.Version + 1));
                        break;
                }
            }
        })));
        var copies = await databases.Sharded.ForEachShardAsync((c, token) => c.Topics.Where(t => t.Id == topic.Id || t.Name.StartsWith(prefix)).OrderBy(t => t.Id).Select(t => $"{t.Id} {t.Name} {t.Version}").ToListAsync(token));
        Assert.Equal(17, copies[0].Value!.Count);
        Assert.All(copies, c => Assert.Equal(copies[0].Value, c.Value));
    }

    [Fact]
    public async Task Cached_results_of_every_shard_are_made_old()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var services = new ServiceCollection().AddShardedDbContextFactory<PressContext>((_, o) => databases.Configure(o, cache: c => c.Redis(redis.Endpoint), contract: ReadContract.Session)).BuildServiceProvider();
        var factory = services.GetRequiredService<ShardedDbContextFactory<PressContext>>();
        using var session = ConsistencySession.Begin();
        var topic = await AddedAsync("old");
        foreach (var shard in factory.Shards)
        {
            await Eventually.ThatAsync(
                async () =>
                {
                    await using var context = factory.CreateDbContextOnShard(shard);
                    Assert.Equal("old", await CachedAsync(context, topic.Id));
                    return context.Database.LastRouting() is { Cache.IsHit: true };
                },
                TimeSpan.FromSeconds(20),
                "the cache answers for the shard");
        }

        await using (var context = factory.CreateDbContext())
        {
            topic = await context.Topics.SingleAsync(t => t.Id == topic.Id);
            topic.Name = "new";
            await context.SaveChangesAsync();
        }

        foreach (var shard in factory.Shards)
        {
            await using var context = factory.CreateDbContextOnShard(shard);
            Assert.Equal("new", await CachedAsync(context, topic.Id));
        }
    }

    [Fact]
    public async Task Rows_of_reference_tables_have_no_token_of_their_own_database()
    {
        await using var context = databases.Sharded.CreateDbContext();
        Assert.Null(context.Model.FindEntityType(typeof(Topic))!.FindProperty("xmin"));
        Assert.NotNull(context.Model.FindEntityType(typeof(Seat))!.FindProperty("xmin"));
    }

    // With the same capabilities as the fixture.
    private ServiceProvider BestEffort() =>
        new ServiceCollection().AddShardedDbContextFactory<PressContext>((_, o) => databases.Configure(o, s => s.CommitAcrossShards(CommitProtocol.BestEffort))).BuildServiceProvider();

    private static int NewId() => Interlocked.Increment(ref _lastId);

    private static Task<string> CachedAsync(PressContext context, int id) => context.Topics.Where(t => t.Id == id).Select(t => t.Name).Cacheable().SingleAsync();

    private static void AssertOutcome(PartialCommitException partial, string[] committed, string[] notCommitted, string[] inDoubt)
    {
        Assert.Equal(committed, partial.Committed);
        Assert.Equal(notCommitted, partial.NotCommitted);
        Assert.Equal(inDoubt, partial.InDoubt);
    }

    private async Task<Topic> AddedAsync(string name)
    {
        await using var context = databases.Sharded.CreateDbContext();
        var topic = new Topic { Id = NewId(), Name = name };
        context.Add(topic);
        await context.SaveChangesAsync();
        return topic;
    }

    private async Task<List<string>> NamesOf(int id)
    {
        var copies = await databases.Sharded.ForEachShardAsync((c, token) => c.Topics.Where(t => t.Id == id).Select(t => t.Name).ToListAsync(token));
        Assert.All(copies, c => Assert.Null(c.Failure));
        return [.. copies.SelectMany(c => c.Value!)];
    }

    private async Task OnShardAsync(string shard, string sql)
    {
        await using var context = databases.Sharded.CreateDbContextOnShard(shard);
        await context.Database.ExecuteSqlRawAsync(sql);
    }

    // Something that happens when a transaction is committed that has added a topic of a certain name.
    private Task AtCommitAsync(string shard, string name, string action)
    {
        var function = $"at_commit_{Guid.NewGuid():N}";
        return OnShardAsync(
            shard,
            $"""
            CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {action}; RETURN NULL; END $$;
            CREATE CONSTRAINT TRIGGER {function} AFTER INSERT ON "Topics" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW."Name" = '{name}') EXECUTE FUNCTION {function}()
            """);
    }
}
