using EfScaling.IntegrationTests.Sharding.Catalog;
using EfScaling.Routing.Checks;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace EfScaling.IntegrationTests.Sharding.Transactions;

/// <summary>Servers that keep no prepared transactions: writes over several shards are refused, or committed one shard after the other where the application has asked for that.</summary>
public sealed class UnpreparedServerTests : IAsyncLifetime
{
    private const int First = 1;

    private static readonly string[] _shards = ["alpha", "beta"];

    private PostgresCluster _cluster = null!;
    private ServiceProvider _twoPhase = null!;
    private ServiceProvider _bestEffort = null!;
    private int _second;

    private ShardedDbContextFactory<BankContext> TwoPhase => _twoPhase.GetRequiredService<ShardedDbContextFactory<BankContext>>();

    private ShardedDbContextFactory<BankContext> BestEffort => _bestEffort.GetRequiredService<ShardedDbContextFactory<BankContext>>();

    public async ValueTask InitializeAsync()
    {
        _cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 0, Settings = new Dictionary<string, string> { ["max_prepared_transactions"] = "0" } });
        (_twoPhase, _bestEffort) = (Process(CommitProtocol.TwoPhase), Process(CommitProtocol.BestEffort));
        await using var context = BestEffort.CreateDbContext();
        await context.Database.EnsureCreatedAsync();
        _second = Enumerable.Range(2, 100).First(id => ShardOf(id) != ShardOf(First));
        context.AddRange(new Catalog.Account { Id = First, Balance = 100 }, new Catalog.Account { Id = _second, Balance = 100 });
        Assert.Equal(2, await context.SaveChangesAsync());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_write_over_several_shards_is_refused_with_the_remedy_before_anything_is_written(bool async)
    {
        await using var context = TwoPhase.CreateDbContext();
        var (from, to) = (await context.Accounts.SingleAsync(a => a.Id == First), await context.Accounts.SingleAsync(a => a.Id == _second));
        (from.Balance, to.Balance) = (from.Balance - 1, to.Balance + 1);
        var refused = async
            ? await Assert.ThrowsAsync<InvalidOperationException>(() => context.SaveChangesAsync())
            : Assert.Throws<InvalidOperationException>(() => context.SaveChanges());
        Assert.Contains("Set max_prepared_transactions to at least max_connections", refused.Message, StringComparison.Ordinal);
        Assert.Contains("CommitAcrossShards(CommitProtocol.BestEffort)", refused.Message, StringComparison.Ordinal);
        Assert.Equal((100, 100), await BalancesAsync());

        // What is on one shard needs none.
        context.Entry(to).State = EntityState.Unchanged;
        Assert.Equal(1, await context.SaveChangesAsync());
        await context.Accounts.Where(a => a.Id == First).ExecuteUpdateAsync(s => s.SetProperty(a => a.Balance, 100));
        var findings = await context.Database.CheckShardsAsync();
        Assert.Equal(_shards, findings.Findings.Where(f => f.Kind == ShardFindingKind.NoPreparedTransactions).Select(f => f.Shard).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Shards_are_committed_one_after_the_other_where_that_is_asked_for(bool async)
    {
        await using var context = BestEffort.CreateDbContext();
        await MoveAsync(context, 10, async);
        Assert.Equal((90, 110), await BalancesAsync());
        await using var transaction = await context.Database.BeginTransactionAsync();
        await context.Accounts.ExecuteUpdateAsync(s => s.SetProperty(a => a.Balance, 100));
        await transaction.CommitAsync();
        Assert.Equal((100, 100), await BalancesAsync());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_shard_that_refuses_its_commit_behind_another_is_named(bool async)
    {
        var (done, refusing) = (_shards[0], _shards[1]);
        await ExecuteAsync(
            refusing,
            """
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not today'; END $$;
            CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON accounts DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()
            """);
        await using var context = BestEffort.CreateDbContext();
        var partial = await Assert.ThrowsAsync<PartialCommitException>(() => MoveAsync(context, 1, async));
        Assert.Equal([done], partial.Committed);
        Assert.Equal([refusing], partial.NotCommitted);
        Assert.Empty(partial.InDoubt);
        Assert.Equal("not today", Assert.IsType<PostgresException>(partial.InnerException).MessageText);
        Assert.Contains("CreateDbContextOnShard(name)", partial.Message, StringComparison.Ordinal);
        Assert.Equal(ShardOf(First) == done ? (99, 100) : (100, 101), await BalancesAsync());

        // If the first refuses, nothing is committed, and its own failure is told.
        await ExecuteAsync(refusing, "DROP TRIGGER refuse ON accounts");
        await ExecuteAsync(
            done,
            """
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not today'; END $$;
            CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON accounts DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()
            """);
        var before = await BalancesAsync();
        await using var other = BestEffort.CreateDbContext();
        var failure = await Assert.ThrowsAsync<PostgresException>(() => MoveAsync(other, 1, async));
        Assert.Equal("not today", failure.MessageText);
        Assert.Equal(before, await BalancesAsync());
    }

    public async ValueTask DisposeAsync()
    {
        await _twoPhase.DisposeAsync();
        await _bestEffort.DisposeAsync();
        await _cluster.DisposeAsync();
    }

    private async Task MoveAsync(BankContext context, long amount, bool async)
    {
        var (from, to) = (await context.Accounts.SingleAsync(a => a.Id == First), await context.Accounts.SingleAsync(a => a.Id == _second));
        (from.Balance, to.Balance) = (from.Balance - amount, to.Balance + amount);
        Assert.Equal(2, async ? await context.SaveChangesAsync() : context.SaveChanges());
    }

    private async Task<(long First, long Second)> BalancesAsync()
    {
        await using var context = TwoPhase.CreateDbContext();
        var balances = await context.Accounts.AsNoTracking().ToDictionaryAsync(a => a.Id, a => a.Balance);
        return (balances[First], balances[_second]);
    }

    private string ShardOf(int id) => TwoPhase.ShardOf(ShardKey.Of(id));

    private string ConnectionTo(string shard) => new NpgsqlConnectionStringBuilder(_cluster.Primary.ConnectionString) { Database = shard }.ConnectionString;

    private async Task ExecuteAsync(string shard, string sql)
    {
        await using var source = NpgsqlDataSource.Create(ConnectionTo(shard));
        await using var command = source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    private ServiceProvider Process(CommitProtocol protocol) =>
        new ServiceCollection()
            .AddShardedDbContextFactory<BankContext>((_, o) => o.UseNpgsql().UseSharding(s =>
            {
                foreach (var shard in _shards)
                {
                    s.AddShard(shard, ConnectionTo(shard));
                }

                s.CommitAcrossShards(protocol);
            }))
            .BuildServiceProvider();
}
