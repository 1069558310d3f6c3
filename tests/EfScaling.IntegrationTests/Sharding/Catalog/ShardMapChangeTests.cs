using System.Data;
using System.Data.Common;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using EfScaling.Sharding.Catalog;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql;

namespace EfScaling.IntegrationTests.Sharding.Catalog;

/// <summary>What a change of the map means to what is under way, and to itself when it is interrupted.</summary>
public sealed class ShardMapChangeTests(Bank bank) : IClassFixture<Bank>
{
    [Fact]
    public async Task A_transaction_that_meets_a_change_fails_as_a_whole_and_says_so()
    {
        await using var context = bank.Deaf().CreateDbContext(ShardKey.Of(1));
        await using var transaction = await context.Database.BeginTransactionAsync();
        Assert.Equal(100, (await context.Accounts.AsNoTracking().SingleAsync(a => a.Id == 1)).Balance);
        await bank.MoveAsync(1);

        var changed = await Assert.ThrowsAsync<ShardMapChangedException>(() => context.Accounts.AsNoTracking().SingleAsync(a => a.Id == 1));
        Assert.Contains("repeat the whole unit of work in a new transaction or snapshot", changed.Message, StringComparison.Ordinal);
        Assert.Contains("bucket ", changed.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_transaction_that_writes_is_waited_for()
    {
        await using var context = bank.Deaf().CreateDbContext(ShardKey.Of(2));
        await using var transaction = await context.Database.BeginTransactionAsync();
        await context.Accounts.Where(a => a.Id == 2).ExecuteUpdateAsync(s => s.SetProperty(a => a.Balance, 222));
        var move = bank.MoveAsync(2);

        // The locks are asked for: a write that holds none would be overtaken.
        await WaitForFenceAsync(await bank.ShardOfAsync(2));
        await context.Database.ExecuteSqlAsync($"UPDATE accounts SET note = 'last' WHERE id = 2");
        await transaction.CommitAsync();
        var to = await move;

        await using var reader = bank.Notified.CreateDbContextOnShard(to);
        var moved = await reader.Accounts.SingleAsync(a => a.Id == 2);
        Assert.Equal((222, "last"), (moved.Balance, moved.Note));
    }

    [Fact]
    public async Task A_transaction_with_one_snapshot_that_writes_after_a_change_is_refused_by_the_server()
    {
        await using var context = bank.Deaf().CreateDbContext(ShardKey.Of(3));
        await using var transaction = await context.Database.BeginTransactionAsync(IsolationLevel.RepeatableRead);
        Assert.Equal(100, (await context.Accounts.AsNoTracking().SingleAsync(a => a.Id == 3)).Balance);
        await bank.MoveAsync(3);

        // A row of its own: no row that was moved is in its way.
        context.Add(new Entry { AccountId = 3, Amount = 7 });
        var refused = await Assert.ThrowsAnyAsync<Exception>(() => context.SaveChangesAsync());
        Assert.Equal(PostgresErrorCodes.SerializationFailure, Assert.IsType<PostgresException>(refused.GetBaseException()).SqlState);
    }

    [Fact]
    public async Task A_change_between_batches_that_commit_by_themselves_is_met_by_the_next_of_them()
    {
        var between = new BeforeSecondBatch(() => bank.MoveAsync(8));
        await using var context = bank.Process(
            c => c.WithoutNotifications().PollInterval(TimeSpan.FromHours(9)),
            options: o => o.UseNpgsql(n => n.MaxBatchSize(2)).AddInterceptors(between)).CreateDbContext();
        context.Database.AutoTransactionBehavior = AutoTransactionBehavior.Never;
        context.AddRange(Enumerable.Range(0, 4).Select(_ => new Entry { AccountId = 8, Amount = 1 }));

        var changed = await Assert.ThrowsAsync<ShardMapChangedException>(() => context.SaveChangesAsync());
        Assert.Equal(2, between.Batches);
        Assert.Contains("after a part of the changes was written and committed", changed.Message, StringComparison.Ordinal);
        await using var reader = bank.Deaf().CreateDbContext();
        Assert.Equal(4, await reader.Entries.CountAsync(e => e.AccountId == 8));
    }

    [Fact]
    public async Task What_runs_on_every_shard_is_refused_where_rows_have_moved_meanwhile()
    {
        var deaf = bank.Deaf();
        var map = await bank.PresentMapAsync();
        var id = Enumerable.Range(1, Bank.Accounts).First(i => map.ShardOf(ShardKey.Of(i)) == "north");
        var results = await deaf.ForEachShardAsync(
            async (c, token) =>
            {
                var count = await c.Accounts.CountAsync(token);
                if (c.Database.LastRouting()!.Value.Shard == "north")
                {
                    await bank.MoveAsync(id, "south");
                }

                return count;
            },
            maxParallel: 1);

        var refused = Assert.Single(results, r => !r.IsDone);
        Assert.Equal("south", refused.Shard);
        Assert.Contains("repeat ForEachShardAsync", Assert.IsType<ShardMapChangedException>(refused.Failure).Message, StringComparison.Ordinal);
        Assert.Equal(Bank.Accounts, (await deaf.ForEachShardAsync((c, token) => c.Accounts.CountAsync(token))).Sum(r => r.Value));
        await using var later = deaf.CreateDbContextOnShard("south");
        await bank.MoveAsync(id);
        Assert.True(await later.Accounts.CountAsync() < Bank.Accounts);
    }

    [Fact]
    public async Task A_context_of_one_shard_sees_no_row_twice_and_none_too_few_while_rows_are_copied()
    {
        var map = (HashShardMap)await bank.PresentMapAsync();
        var (from, bucket) = (map.ShardOf(ShardKey.Of(4)), map.BucketOf(ShardKey.Of(4))!.Value);
        var to = map.Shards.First(s => s != from);
        var deaf = bank.Deaf();
        await bank.ChangeAsync(
            map.With(bucket, to),
            async (change, token) =>
            {
                Assert.Equal([bucket], change.Buckets);
                Assert.Equal(new[] { from, to }.Order(), change.Shards);
                await using (var target = await change.OpenConnectionAsync(to, token))
                await using (var copy = new NpgsqlCommand("INSERT INTO accounts (id, balance, revision) VALUES (4, 100, 0)", target))
                {
                    await copy.ExecuteNonQueryAsync(token);
                }

                foreach (var shard in new[] { from, to })
                {
                    await using var context = deaf.CreateDbContextOnShard(shard);
                    context.Database.SetCommandTimeout(1);
                    var refused = await Assert.ThrowsAsync<ShardMapChangedException>(() => context.Accounts.CountAsync(token));
                    Assert.Contains("whole shard", refused.Message, StringComparison.Ordinal);
                    Assert.Contains("repeated for 1 s", refused.Message, StringComparison.Ordinal);
                }

                // What another bucket holds is not concerned.
                await using var other = deaf.CreateDbContext();
                var elsewhere = Enumerable.Range(1, Bank.Accounts).First(id => map.BucketOf(ShardKey.Of(id)) != bucket);
                Assert.True(await other.Accounts.AnyAsync(a => a.Id == elsewhere, token));
                await Bank.MoveRowsAsync(change, token);
            });

        var count = 0;
        foreach (var shard in map.Shards)
        {
            await using var context = deaf.CreateDbContextOnShard(shard);
            count += await context.Accounts.CountAsync();
        }

        Assert.Equal(Bank.Accounts, count);
    }

    [Fact]
    public async Task A_change_that_was_interrupted_anywhere_shows_no_wrong_rows_and_can_be_completed()
    {
        var map = (HashShardMap)await bank.PresentMapAsync();
        var to = map.Shards.First(s => s != map.ShardOf(ShardKey.Of(5)));
        var next = map.With(map.BucketOf(ShardKey.Of(5))!.Value, to);
        await Assert.ThrowsAsync<TimeoutException>(() => bank.ChangeAsync(next, async (change, token) =>
        {
            await Bank.MoveRowsAsync(change, token);
            throw new TimeoutException("interrupted");
        }));

        await using var context = bank.Deaf().CreateDbContext();
        context.Database.SetCommandTimeout(1);
        var refused = await Assert.ThrowsAsync<ShardMapChangedException>(() => context.Accounts.SingleOrDefaultAsync(a => a.Id == 5));
        Assert.Contains("ResumeShardMapChangeAsync", refused.Message, StringComparison.Ordinal);
        await using var work = bank.Notified.CreateDbContext();
        var pending = await Assert.ThrowsAsync<InvalidOperationException>(() => work.Database.ChangeShardMapAsync(next, Bank.MoveRowsAsync));
        Assert.Contains("is pending", pending.Message, StringComparison.Ordinal);
        Assert.Contains("is pending", (await Assert.ThrowsAsync<InvalidOperationException>(() => work.Database.CreateShardCatalogAsync())).Message, StringComparison.Ordinal);

        Assert.True(await work.Database.ResumeShardMapChangeAsync(Bank.MoveRowsAsync));
        Assert.False(await work.Database.ResumeShardMapChangeAsync(Bank.MoveRowsAsync));
        Assert.Equal(100, (await context.Accounts.SingleAsync(a => a.Id == 5)).Balance);
        Assert.Equal(to, context.Database.LastRouting()!.Value.Shard);
    }

    [Fact]
    public async Task A_map_that_cannot_follow_is_refused_with_all_reasons()
    {
        await using var context = bank.Notified.CreateDbContext();
        var refused = await Assert.ThrowsAsync<ArgumentException>(
            () => context.Database.ChangeShardMapAsync(new HashShardMap(["north", "moon"], Bank.Buckets * 2, [ShardKeyType.Int8]), Bank.MoveRowsAsync));
        foreach (var reason in new[] { "its version is 1", $"it has {Bank.Buckets * 2} buckets and the present one {Bank.Buckets}", "its keys are (Int8)", "AddShard" })
        {
            Assert.Contains(reason, refused.Message, StringComparison.Ordinal);
        }

        Assert.Contains("catalog has ''", (await Assert.ThrowsAsync<ArgumentException>(() => context.Database.ChangeShardMapAsync(new HashShardMap(["north"]), Bank.MoveRowsAsync, "other"))).Message, StringComparison.Ordinal);
        var present = await bank.PresentMapAsync();
        var other = await Assert.ThrowsAsync<ArgumentException>(
            () => context.Database.ChangeShardMapAsync(new HashShardMap(present.Shards, Bank.Buckets, present.KeyTypes, prefixLength: 1, version: present.Version + 1), Bank.MoveRowsAsync));
        Assert.Contains("its buckets go by a prefix length of 1 and those of the present one by 0", other.Message, StringComparison.Ordinal);
        await using var bound = bank.Notified.CreateDbContextOnShard("north");
        Assert.Contains("CreateDbContext()", (await Assert.ThrowsAsync<InvalidOperationException>(() => bound.Database.CreateShardCatalogAsync())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_map_of_another_kind_and_a_pin_are_changes_as_any_other()
    {
        var map = await bank.PresentMapAsync();
        var key = ShardKey.Of(6);
        var to = map.Shards.First(s => s != map.ShardOf(key));
        await bank.ChangeAsync(new DirectoryShardMap(map, [new(key, to)], version: map.Version + 1), Bank.MoveRowsAsync);
        await using (var context = bank.Deaf().CreateDbContext())
        {
            Assert.Equal(100, (await context.Accounts.SingleAsync(a => a.Id == 6)).Balance);
            Assert.Equal(to, context.Database.LastRouting()!.Value.Shard);
        }

        // A process that knows the pin finds the account where it is when the pin is gone, although both shards have keys of the bucket.
        var deaf = bank.Deaf();
        Assert.Equal(to, Bank.MapOf(deaf).ShardOf(key));
        await bank.ChangeAsync(((DirectoryShardMap)await bank.PresentMapAsync()).Without(key), Bank.MoveRowsAsync);
        await using var last = deaf.CreateDbContext();
        Assert.Equal(100, (await last.Accounts.SingleAsync(a => a.Id == 6)).Balance);
        await bank.ChangeAsync(new HashShardMap(map.Shards, ((HashShardMap)map).Assignment, map.KeyTypes, version: map.Version + 3), Bank.MoveRowsAsync);
    }

    private sealed class BeforeSecondBatch(Func<Task> work) : DbCommandInterceptor
    {
        public int Batches { get; private set; }

        public override async ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
            DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result, CancellationToken cancellationToken = default)
        {
            if (eventData.CommandSource == CommandSource.SaveChanges && ++Batches == 2)
            {
                await work();
            }

            return result;
        }
    }

    private async Task WaitForFenceAsync(string shard)
    {
        await using var source = NpgsqlDataSource.Create(bank.ConnectionTo(shard));
        await EfScaling.Testing.Eventually.ThatAsync(
            async () =>
            {
                await using var waiting = source.CreateCommand("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())");
                return (long)(await waiting.ExecuteScalarAsync())! > 0;
            },
            TimeSpan.FromSeconds(20),
            "the fence waits for the writer");
    }
}
