using EfScaling.Caching;
using EfScaling.Consistency;
using EfScaling.Routing;
using EfScaling.Routing.Shards;
using EfScaling.Testing;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Sharding.Catalog;

/// <summary>Replicas that are late, and caches, when rows have moved.</summary>
public sealed class ShardMapReplicaTests : IAsyncLifetime
{
    private static readonly TimeSpan _deadline = TimeSpan.FromSeconds(30);

    private PostgresCluster _cluster = null!;
    private Bank _bank = null!;

    public async ValueTask InitializeAsync()
    {
        _cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 1, Settings = new Dictionary<string, string> { ["max_connections"] = "300" } });
        _bank = await Bank.CreateAsync(_cluster);
    }

    public async ValueTask DisposeAsync()
    {
        await _bank.DisposeAsync();
        await _cluster.DisposeAsync();
    }

    [Fact]
    public async Task A_session_is_not_shown_what_was_before_a_move_by_a_process_and_a_replica_that_have_not_heard_of_it()
    {
        var deaf = _bank.Deaf(ReadContract.Session);
        await UntilReplicaServesAsync(deaf, account: 5);
        await _cluster.Standbys[0].PauseReplayAsync();
        await _bank.MoveAsync(5);
        ConsistencyToken token;
        using (ConsistencySession.Begin())
        {
            await using var writer = _bank.Notified.CreateDbContext();
            (await writer.Accounts.SingleAsync(a => a.Id == 5)).Balance = 500;
            await writer.SaveChangesAsync();
            token = await ConsistencySession.Current!.GetTokenAsync();
        }

        // Nobody has told it, and its old replica would still answer.
        await using (var context = deaf.CreateDbContext())
        {
            Assert.Equal(100, (await context.Accounts.AsNoTracking().SingleAsync(a => a.Id == 5)).Balance);
            Assert.Equal(NodeRole.Replica, context.Database.LastRouting()!.Value.Role);
        }

        using (ConsistencySession.Begin(token))
        {
            await using var context = deaf.CreateDbContext();
            Assert.Equal(500, (await context.Accounts.AsNoTracking().SingleAsync(a => a.Id == 5)).Balance);
        }
    }

    [Fact]
    public async Task A_replica_that_has_not_replayed_a_move_leaves_the_read_to_the_primary()
    {
        var process = _bank.Process(c => c.PollInterval(TimeSpan.FromHours(7)), ReadContract.Any);
        await UntilReplicaServesAsync(process, account: 6);
        await UntilReplicaServesAsync(process, account: 7);
        await _cluster.Standbys[0].PauseReplayAsync();
        var version = Bank.MapOf(process).Version;
        await _bank.MoveAsync(6);
        await Eventually.ThatAsync(() => Task.FromResult(Bank.MapOf(process).Version > version), _deadline, "the process is told");

        await using var context = process.CreateDbContext();
        Assert.Equal(100, (await context.Accounts.AsNoTracking().SingleAsync(a => a.Id == 6)).Balance);
        Assert.Equal((NodeRole.Primary, RoutingReason.ReplicaNotOwner), (context.Database.LastRouting()!.Value.Role, context.Database.LastRouting()!.Value.Reason));
    }

    [Fact]
    public async Task What_was_kept_in_a_cache_before_rows_moved_away_and_back_is_not_shown()
    {
        var process = _bank.Process(c => c.PollInterval(TimeSpan.FromHours(8)), ReadContract.Session);
        await Eventually.ThatAsync(
            async () =>
            {
                await using var context = process.CreateDbContext();
                Assert.Equal(100, await CachedAsync(context));
                return context.Database.LastRouting() is { Cache.IsHit: true };
            },
            _deadline,
            "the cache answers");
        var home = await _bank.ShardOfAsync(8);
        await _bank.MoveAsync(8);
        await using (var writer = _bank.Notified.CreateDbContext())
        {
            (await writer.Accounts.SingleAsync(a => a.Id == 8)).Balance = 800;
            await writer.SaveChangesAsync();
        }

        await _bank.MoveAsync(8, home);
        var version = (await _bank.PresentMapAsync()).Version;
        await Eventually.ThatAsync(() => Task.FromResult(Bank.MapOf(process).Version == version), _deadline, "the process is told");
        await using var reader = process.CreateDbContext();
        Assert.Equal(800, await CachedAsync(reader));
    }

    private static Task<long> CachedAsync(BankContext context) => context.Accounts.Where(a => a.Id == 8).Select(a => a.Balance).Cacheable().SingleAsync();

    private static Task UntilReplicaServesAsync(ShardedDbContextFactory<BankContext> process, int account) => Eventually.ThatAsync(
        async () =>
        {
            await using var context = process.CreateDbContext();
            Assert.Equal(100, (await context.Accounts.AsNoTracking().SingleAsync(a => a.Id == account)).Balance);
            return context.Database.LastRouting()!.Value.Role == NodeRole.Replica;
        },
        _deadline,
        "a replica serves the shard");
}
