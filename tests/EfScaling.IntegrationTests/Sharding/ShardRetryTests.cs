using EfScaling.IntegrationTests.Clusters;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql;

namespace EfScaling.IntegrationTests.Sharding;

/// <summary>An execution strategy tries again what failed for want of a shard, by the driver's own judgement of the failure.</summary>
public sealed class ShardRetryTests(ClusterFixture fixture) : IAsyncLifetime
{
    private readonly LedgerDatabases _databases = new(fixture);

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _databases.DisposeAsync();

    [Fact]
    public async Task What_a_broken_connection_prevented_is_done_when_the_shard_is_back()
    {
        var direct = new NpgsqlConnectionStringBuilder(_databases.ConnectionTo("west"));
        await using var proxy = await TcpProxy.StartAsync(direct.Host!, direct.Port);
        await using (var context = _databases.Spanning())
        {
            await context.Database.EnsureCreatedAsync();
        }

        var map = new HashShardMap(LedgerDatabases.Shards);
        var id = Enumerable.Range(1, 16).First(id => map.ShardOf(ShardKey.Of(id)) == "west");
        var failures = new List<Exception>();
        var cut = new NpgsqlConnectionStringBuilder(direct.ConnectionString) { Host = proxy.Host, Port = proxy.Port }.ConnectionString;
        await using var retrying = new LedgerContext(_databases.Configure(
            new DbContextOptionsBuilder<LedgerContext>().UseNpgsql(n => n.EnableRetryOnFailure(6, TimeSpan.FromMilliseconds(50), null)).LogTo(
                (e, _) => e == CoreEventId.ExecutionStrategyRetrying,
                e =>
                {
                    failures.AddRange(((ExecutionStrategyEventData)e).ExceptionsEncountered);
                    proxy.Restore();
                }),
            west: cut).Options);
        var account = await retrying.Accounts.SingleAsync(a => a.Id == id);
        var changes = 0;
        foreach (var (name, attempt) in new (string, Func<Task>)[]
        {
            ("a query", async () => Assert.Equal(account.Name, await retrying.Accounts.Where(a => a.Id == id).Select(a => a.Name).SingleAsync())),
            ("a query that blocks", () => Task.FromResult(retrying.Accounts.AsNoTracking().Where(a => a.Id == id).ToList().Single())),
            ("a set-based write", async () => Assert.Equal(1, await retrying.Accounts.Where(a => a.Id == id).ExecuteUpdateAsync(s => s.SetProperty(a => a.Name, a => a.Name)))),
            ("a set-based write that blocks", () => Task.FromResult(retrying.Accounts.Where(a => a.Id == id).ExecuteUpdate(s => s.SetProperty(a => a.Name, a => a.Name)))),
            ("SaveChanges", async () => await SaveAsync(() => retrying.SaveChangesAsync())),
            ("SaveChanges that blocks", async () => await SaveAsync(() => Task.FromResult(retrying.SaveChanges()))),
            ("a row that is added", async () =>
            {
                retrying.Add(new Entry { AccountId = id, Number = 1 });
                Assert.Equal(1, await retrying.SaveChangesAsync());
            }),
        })
        {
            failures.Clear();
            await proxy.CutAsync();
            await attempt();
            Assert.True(failures.Exists(f => ShardOf(f) == "west"), $"{name}: {string.Join("; ", failures.Select(f => f.GetType().Name))}");
        }

        await using var fresh = _databases.Spanning();
        Assert.Equal($"changed {changes}", (await fresh.Accounts.SingleAsync(a => a.Id == id)).Name);
        Assert.Equal(1, await fresh.Entries.CountAsync(e => e.AccountId == id));

        async Task SaveAsync(Func<Task<int>> save)
        {
            // The set-based writes have given the row another version.
            await retrying.Entry(account).ReloadAsync();
            await proxy.CutAsync();
            account.Name = $"changed {++changes}";
            Assert.Equal(1, await save());
        }
    }

    [Fact]
    public async Task A_failure_that_no_repetition_mends_is_not_repeated()
    {
        await using (var context = _databases.Spanning())
        {
            await context.Database.EnsureCreatedAsync();
        }

        var retries = 0;
        await using var retrying = new LedgerContext(_databases.Configure(
            new DbContextOptionsBuilder<LedgerContext>().UseNpgsql(n => n.EnableRetryOnFailure()).LogTo((e, _) => e == CoreEventId.ExecutionStrategyRetrying, _ => retries++)).Options);
        var map = new HashShardMap(LedgerDatabases.Shards);
        var id = Enumerable.Range(1, 16).First(id => map.ShardOf(ShardKey.Of(id)) == "south");
        await _databases.DropAsync("south");

        var failure = await Assert.ThrowsAsync<ShardConnectionException>(() => retrying.Accounts.AnyAsync(a => a.Id == id));
        Assert.Equal(("south", PostgresErrorCodes.InvalidCatalogName, false, 0), (failure.Shard, failure.SqlState, failure.IsTransient, retries));
    }

    // SaveChanges has it inside an exception of its own.
    private static string? ShardOf(Exception failure) => ((failure as DbUpdateException)?.InnerException ?? failure) is ShardConnectionException named ? named.Shard : null;
}
