using EfScaling.IntegrationTests.Clusters;
using EfScaling.IntegrationTests.Sharding.Catalog;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Sharding.Transactions;

/// <summary>Every shard of a transaction proves that it owns what is written there: of maps that are old, nothing is written on the wrong shard, and nothing in part.</summary>
public sealed class GovernedTransactionTests(ClusterFixture clusters)
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_save_by_old_maps_is_repeated_as_a_whole_by_the_new_ones(bool async)
    {
        await using var bank = new Bank(clusters);
        await bank.InitializeAsync();
        var process = bank.Deaf();
        await using var context = process.CreateDbContext();
        var accounts = await LoadAsync(context, Enumerable.Range(1, 12));

        // The last one to be written is somewhere else by now, when others have written already.
        var moved = accounts.OrderBy(a => process.ShardOf(ShardKey.Of(a.Id)), StringComparer.Ordinal).Last().Id;
        var to = await bank.MoveAsync(moved);
        Assert.NotEqual(to, process.ShardOf(ShardKey.Of(moved)));
        Transfer(context, accounts, moved);
        Assert.Equal(14, async ? await context.SaveChangesAsync() : context.SaveChanges());
        Assert.Equal(to, process.ShardOf(ShardKey.Of(moved)));
        foreach (var account in accounts)
        {
            await using var bound = bank.Notified.CreateDbContextOnShard(await bank.ShardOfAsync(account.Id));
            var there = await bound.Accounts.SingleAsync(a => a.Id == account.Id);
            Assert.Equal((account.Balance, "moved money"), (there.Balance, there.Note));
        }

        await AssertNothingIsPreparedAsync(bank);
    }

    [Fact]
    public async Task In_a_transaction_of_the_application_old_maps_end_it_and_nothing_is_written()
    {
        await using var bank = new Bank(clusters);
        await bank.InitializeAsync();
        var process = bank.Deaf();
        await using var context = process.CreateDbContext();
        var accounts = await LoadAsync(context, Enumerable.Range(1, 12));
        var moved = accounts.OrderBy(a => process.ShardOf(ShardKey.Of(a.Id)), StringComparer.Ordinal).Last().Id;
        await bank.MoveAsync(moved);
        await using (var transaction = await context.Database.BeginTransactionAsync())
        {
            Transfer(context, accounts, moved);
            await Assert.ThrowsAsync<ShardMapChangedException>(() => context.SaveChangesAsync());
            await transaction.RollbackAsync();
        }

        Assert.Equal(Bank.Accounts * 100, await TotalAsync(bank));
        Assert.All(await bank.Notified.ForEachShardAsync((c, token) => c.Accounts.CountAsync(a => a.Note == "moved money", token)), r => Assert.Equal(0, r.Value));
        await AssertNothingIsPreparedAsync(bank);
    }

    [Fact]
    public async Task A_bucket_is_not_given_away_while_a_transaction_that_has_written_it_is_open()
    {
        await using var bank = new Bank(clusters);
        await bank.InitializeAsync();
        await using var context = bank.Notified.CreateDbContext();
        var accounts = await LoadAsync(context, Enumerable.Range(1, 12));
        await using var transaction = await context.Database.BeginTransactionAsync();
        Transfer(context, accounts, accounts[0].Id);
        await context.SaveChangesAsync();
        var move = bank.MoveAsync(accounts[5].Id);
        await Eventually.ThatAsync(
            async () => await clusters.Cluster.Primary.ScalarAsync<long>("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND NOT granted") > 0,
            TimeSpan.FromSeconds(20),
            "the move to wait for the bucket");
        Assert.False(move.IsCompleted);
        await transaction.CommitAsync();
        var to = await move;
        await using var bound = bank.Notified.CreateDbContextOnShard(to);
        Assert.Equal("moved money", (await bound.Accounts.SingleAsync(a => a.Id == accounts[5].Id)).Note);
        Assert.Equal(Bank.Accounts * 100, await TotalAsync(bank));
    }

    // Everybody gives to one.
    private static void Transfer(BankContext context, List<Catalog.Account> accounts, int to)
    {
        foreach (var account in accounts)
        {
            var amount = account.Id == to ? accounts.Count - 1 : -1;
            account.Balance += amount;
            account.Note = "moved money";
            account.Revision++;
        }

        var giver = accounts.First(a => a.Id != to);
        context.Add(new Catalog.Entry { AccountId = to, Amount = accounts.Count - 1 });
        context.Add(new Catalog.Entry { AccountId = giver.Id, Amount = -1 });
    }

    private static async Task<List<Catalog.Account>> LoadAsync(BankContext context, IEnumerable<int> ids)
    {
        var accounts = new List<Catalog.Account>();
        foreach (var id in ids)
        {
            accounts.Add(await context.Accounts.SingleAsync(a => a.Id == id));
        }

        return accounts;
    }

    private static async Task<long> TotalAsync(Bank bank) => (await bank.Notified.ForEachShardAsync((c, token) => c.Accounts.SumAsync(a => a.Balance, token))).Sum(r => r.Value);

    private static async Task AssertNothingIsPreparedAsync(Bank bank)
    {
        await using var context = bank.Notified.CreateDbContext();
        Assert.True((await context.Database.RecoverShardTransactionsAsync(TimeSpan.FromHours(1))).IsClean);
    }
}
