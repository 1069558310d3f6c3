using System.Transactions;
using EfScaling.Caching;
using EfScaling.Caching.Redis;
using EfScaling.Diagnostics;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>A write that cannot be published is committed or refused, never both, and what a dead process did not publish others do.</summary>
public sealed class LostPublicationTests(ClusterFixture fixture)
{
    private static readonly TimeSpan _lease = TimeSpan.FromSeconds(1);

    private static readonly Dictionary<string, Func<BlogContext, string, Task>> _writes = new()
    {
        ["SaveChangesAsync"] = async (c, mark) =>
        {
            c.Add(new Note { Text = mark });
            await c.SaveChangesAsync();
        },
        ["SaveChanges"] = (c, mark) =>
        {
            c.Add(new Note { Text = mark });
            c.SaveChanges();
            return Task.CompletedTask;
        },
        ["transaction, asynchronous"] = async (c, mark) =>
        {
            await using var transaction = await c.Database.BeginTransactionAsync();
            c.Add(new Note { Text = mark });
            await c.SaveChangesAsync();
            await transaction.CommitAsync();
        },
        ["transaction"] = (c, mark) =>
        {
            using var transaction = c.Database.BeginTransaction();
            c.Add(new Note { Text = mark });
            c.SaveChanges();
            transaction.Commit();
            return Task.CompletedTask;
        },
        ["TransactionScope"] = async (c, mark) =>
        {
            using var scope = new TransactionScope(TransactionScopeAsyncFlowOption.Enabled);
            c.Add(new Note { Text = mark });
            await c.SaveChangesAsync();
            scope.Complete();
        },
        ["SQL, asynchronous"] = (c, mark) => c.Database.ExecuteSqlAsync($"INSERT INTO \"Notes\" (\"Text\") VALUES ({mark})"),
        ["SQL"] = (c, mark) =>
        {
            c.Database.ExecuteSql($"INSERT INTO \"Notes\" (\"Text\") VALUES ({mark})");
            return Task.CompletedTask;
        },
        ["ExecuteUpdateAsync"] = async (c, mark) =>
        {
            var other = mark + "'";
            await c.Notes.Where(n => n.Text == other).ExecuteUpdateAsync(s => s.SetProperty(n => n.Text, mark));
        },
        ["ExecuteUpdate"] = (c, mark) =>
        {
            var other = mark + "'";
            c.Notes.Where(n => n.Text == other).ExecuteUpdate(s => s.SetProperty(n => n.Text, mark));
            return Task.CompletedTask;
        },
    };

    private readonly MarkedNotes _notes = new(fixture.Cluster);

    [Fact]
    public async Task Strict_writes_are_refused_while_the_store_is_down_and_nothing_is_committed()
    {
        await using var redis = await RedisServer.StartAsync();
        var process = await CachedBlogs.StartAsync(fixture.Cluster, c => To(c, redis).OnPublishFailure(PublishFailure.FailBeforeCommit));
        await SourceOfUpdatesAsync();
        await _notes.AddAsync(process);
        await _notes.AreCachedAsync(process);

        await redis.KillAsync();
        foreach (var (name, write) in _writes)
        {
            await using var context = process.Context();
            var refusal = await Assert.ThrowsAnyAsync<InvalidOperationException>(() => write(context, _notes.Mark));
            Assert.Contains("A write was refused because the query cache 'redis", refusal.Message, StringComparison.Ordinal);
            Assert.Contains("OnPublishFailure(PublishFailure.Proceed)", refusal.Message, StringComparison.Ordinal);
            Assert.True(await _notes.TruthAsync() == 1, $"{name} was refused and committed");
        }

        await redis.StartAsync();
        await _notes.AreCachedAsync(process);
        foreach (var (_, write) in _writes)
        {
            await SourceOfUpdatesAsync();
            await using var context = process.Context();
            await write(context, _notes.Mark);
            await _notes.AreRightAsync(process);
        }

        Assert.Equal(1 + _writes.Count, await _notes.TruthAsync());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_strict_write_that_was_refused_is_refused_again_in_its_transaction(bool isAsync)
    {
        await using var redis = await RedisServer.StartAsync();
        var process = await CachedBlogs.StartAsync(fixture.Cluster, c => To(c, redis).OnPublishFailure(PublishFailure.FailBeforeCommit));
        await redis.KillAsync();
        await using var context = process.Context();
        await using var transaction = await context.Database.BeginTransactionAsync();
        context.Add(new Note { Text = _notes.Mark });
        for (var i = 0; i < 3; i++)
        {
            await Assert.ThrowsAnyAsync<InvalidOperationException>(async () => _ = isAsync ? await context.SaveChangesAsync() : context.SaveChanges());
        }

        await Assert.ThrowsAnyAsync<InvalidOperationException>(() => isAsync ? transaction.CommitAsync() : Task.Run(transaction.Commit));
        Assert.Equal(0, await _notes.TruthAsync());

        await redis.StartAsync();
        await process.UntilInUseAsync();
        await context.SaveChangesAsync();
        await transaction.CommitAsync();
        await _notes.AreRightAsync(process);
        Assert.Equal(1, await _notes.TruthAsync());
    }

    [Fact]
    public async Task A_committed_write_never_fails_for_want_of_the_store()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var throwing = new ThrowingCacheStore(StoreOf(redis));
        var process = await CachedBlogs.StartAsync(fixture.Cluster, c => c.Store(throwing));
        var other = await CachedBlogs.StartAsync(fixture.Cluster, c => To(c, redis));
        (Func<Task> Break, Func<Task> Mend)[] ways =
        [
            (() => Task.FromResult(throwing.IsBroken = true), () => Task.FromResult(throwing.IsBroken = false)),
            (redis.SuspendAsync, redis.ContinueAsync),
            (redis.KillAsync, () => redis.StartAsync()),
        ];
        foreach (var (breakIt, mend) in ways)
        {
            await _notes.AreCachedAsync(process, other);
            await breakIt();
            foreach (var (_, write) in _writes)
            {
                await SourceOfUpdatesAsync();
                await using var context = process.Context();
                await write(context, _notes.Mark);
                await _notes.AreRightAsync(process);
            }

            await mend();
            await Eventually.ThatAsync(async () => (await _notes.CountAsync(other)).Count == await _notes.TruthAsync(), MarkedNotes.Patience, "the writes to be published");
        }

        Assert.NotEqual(0, process.Events.Count(EfScalingEventId.WritePublishedLate));
    }

    [Theory]
    [InlineData("SaveChangesAsync")]
    [InlineData("SaveChanges")]
    [InlineData("transaction")]
    [InlineData("SQL, asynchronous")]
    public async Task What_a_process_did_not_publish_before_it_died_others_publish(string write)
    {
        await using var redis = await RedisServer.StartAsync();
        await using var dying = new DyingCacheStore(StoreOf(redis));
        var writer = await CachedBlogs.StartAsync(fixture.Cluster, c => c.Store(dying).WriteLease(_lease));
        var reader = await CachedBlogs.StartAsync(fixture.Cluster, c => To(c, redis));
        await _notes.AreCachedAsync(reader);

        dying.IsDead = true;
        await using (var context = writer.Context())
        {
            await _writes[write](context, _notes.Mark);
        }

        Assert.Equal(0, (await _notes.CountAsync(reader)).Count);
        await Eventually.ThatAsync(async () => (await _notes.CountAsync(reader)).Count == 1, _lease + TimeSpan.FromSeconds(2), "the abandoned write to be seen");
        await Eventually.ThatAsync(() => Task.FromResult(reader.Events.Count(EfScalingEventId.AbandonedWritesPublished) > 0), TimeSpan.FromSeconds(5), "the publication to be told");
    }

    private static QueryCacheOptionsBuilder To(QueryCacheOptionsBuilder cache, RedisServer redis) => cache.Redis(MarkedNotes.To(redis.Endpoint));

    private static RedisCacheStore StoreOf(RedisServer redis) => new(MarkedNotes.To(redis.Endpoint), TimeProvider.System, new EventLog());

    private Task<int> SourceOfUpdatesAsync() => fixture.Cluster.Primary.ExecuteAsync(
        $"DELETE FROM \"Notes\" WHERE \"Text\" = '{_notes.Mark}'''; INSERT INTO \"Notes\" (\"Text\") VALUES ('{_notes.Mark}''')");
}
