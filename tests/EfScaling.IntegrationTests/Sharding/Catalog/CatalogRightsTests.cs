using System.Data;
using System.Text.RegularExpressions;
using EfScaling.Consistency;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using EfScaling.Testing;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace EfScaling.IntegrationTests.Sharding.Catalog;

/// <summary>Roles that own nothing and have the rights that docs/sharding.md names, and no others.</summary>
public sealed partial class CatalogRightsTests(Bank bank) : IClassFixture<Bank>
{
    private static readonly TimeSpan _deadline = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task An_application_reads_and_writes_and_follows_changes()
    {
        var role = await bank.CreateRoleAsync(Documented());
        var process = bank.Process(c => c.WithoutNotifications().PollInterval(TimeSpan.FromHours(5)), role: role);
        await UseAsync(process, account: 1);
        Assert.Equal(Bank.Accounts, (await process.ForEachShardAsync((c, token) => c.Accounts.CountAsync(token))).Sum(r => r.Value));

        var to = await bank.MoveAsync(1);
        await UseAsync(process, account: 1);
        await using (var context = process.CreateDbContext())
        {
            await context.Accounts.AnyAsync(a => a.Id == 1);
            Assert.Equal(to, context.Database.LastRouting()!.Value.Shard);
        }

        // One that is told of changes, and reads from replicas.
        var notified = bank.Process(c => c.PollInterval(TimeSpan.FromHours(6)), ReadContract.Session, role: role);
        await Eventually.ThatAsync(
            async () =>
            {
                await using var context = notified.CreateDbContext();
                Assert.True(await context.Accounts.AnyAsync(a => a.Id == 2));
                return context.Database.LastRouting()!.Value.Role == NodeRole.Replica;
            },
            _deadline,
            "a replica serves the shard");
        to = await bank.MoveAsync(2);
        await Eventually.ThatAsync(() => Task.FromResult(Bank.MapOf(notified).ShardOf(ShardKey.Of(2)) == to), _deadline, "the process hears of the change");

        foreach (var (database, forbidden) in new[]
        {
            ("north", "CREATE TABLE efscaling.mine (id int)"),
            ("north", "INSERT INTO efscaling.ownership (map, bucket, version) VALUES ('', 0, 99)"),
            ("north", "DELETE FROM efscaling.ownership"),
            ("north", "UPDATE efscaling.ownership SET bucket = 1"),
            ("north", "SELECT name FROM efscaling.shard"),
            ("catalog", "UPDATE efscaling.shard_map SET version = 99"),
            ("catalog", "UPDATE efscaling.shard_catalog SET epoch = 99"),
        })
        {
            var refused = await Assert.ThrowsAsync<PostgresException>(() => bank.ExecuteAsync(database, forbidden, role));
            Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, refused.SqlState);
        }

        await using var maps = process.CreateDbContext();
        await Assert.ThrowsAsync<PostgresException>(() => maps.Database.CreateShardCatalogAsync());
    }

    [Fact]
    public async Task Without_the_right_to_versions_writes_in_one_snapshot_are_refused_and_nothing_else_is()
    {
        var (catalog, shard) = Documented();
        var role = await bank.CreateRoleAsync((catalog, UpdateOfVersions().Replace(shard, string.Empty)));
        var process = bank.Process(c => c.WithoutNotifications().PollInterval(TimeSpan.FromHours(7)), role: role);
        await UseAsync(process, account: 3, isolation: null);
        foreach (var isolation in new[] { IsolationLevel.RepeatableRead, IsolationLevel.Serializable })
        {
            var refused = await Assert.ThrowsAnyAsync<Exception>(() => UseAsync(process, account: 3, isolation));
            Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, Assert.IsType<PostgresException>(refused.GetBaseException()).SqlState);
        }
    }

    [Fact]
    public async Task Who_changes_maps_owns_nothing_either()
    {
        var (catalog, shard) = Documented();
        var role = await bank.CreateRoleAsync((catalog + DocumentedForChanges("catalog"), shard + DocumentedForChanges("shard")));
        var process = bank.Process(c => c.WithoutNotifications().PollInterval(TimeSpan.FromHours(8)), role: role);
        await using var context = process.CreateDbContext();
        var map = (HashShardMap)await bank.PresentMapAsync();
        var to = map.Shards.First(s => s != map.ShardOf(ShardKey.Of(4)));
        var next = map.With(map.BucketOf(ShardKey.Of(4))!.Value, to);
        await Assert.ThrowsAsync<TimeoutException>(() => context.Database.ChangeShardMapAsync(next, (_, _) => throw new TimeoutException("interrupted")));
        Assert.True(await context.Database.ResumeShardMapChangeAsync(Bank.MoveRowsAsync));
        Assert.Equal(to, await bank.ShardOfAsync(4));
        await UseAsync(process, account: 4);
    }

    // Everything that an application does to its rows.
    private static async Task UseAsync(ShardedDbContextFactory<BankContext> process, int account, IsolationLevel? isolation = IsolationLevel.RepeatableRead)
    {
        await using (var context = process.CreateDbContext())
        {
            var loaded = await context.Accounts.Include(a => a.Entries).SingleAsync(a => a.Id == account);
            loaded.Note = Guid.NewGuid().ToString("N");
            loaded.Revision++;
            loaded.Entries.Add(new Entry { Amount = 1 });
            await context.SaveChangesAsync();
            Assert.Equal(loaded.Note, await context.Accounts.Where(a => a.Id == account).Select(a => a.Note).Cacheable().SingleAsync());
            Assert.Equal(1, await context.Accounts.Where(a => a.Id == account).ExecuteUpdateAsync(s => s.SetProperty(a => a.Note, "updated")));
            Assert.True(await context.Entries.Where(e => e.AccountId == account && e.Amount == 1).ExecuteDeleteAsync() > 0);
            Assert.Equal(2, await context.Rates.Select(r => r.Percent).SingleAsync());
        }

        await using var bound = process.CreateDbContext(ShardKey.Of(account));
        await using var transaction = isolation is { } level ? await bound.Database.BeginTransactionAsync(level) : await bound.Database.BeginTransactionAsync();
        Assert.Equal(1, await bound.Accounts.Where(a => a.Id == account).ExecuteUpdateAsync(s => s.SetProperty(a => a.Note, "in a transaction")));
        Assert.True(await bound.Accounts.AnyAsync());
        await transaction.CommitAsync();
    }

    // What the page says, as an operator would run it.
    private static (string Catalog, string Shard) Documented()
    {
        var block = Statements().Match(Page());
        Assert.True(block.Success, "docs/sharding.md does not show the rights any more");
        return (block.Groups["catalog"].Value, block.Groups["shard"].Value);
    }

    private static string DocumentedForChanges(string where)
    {
        var block = StatementsOfChanges().Match(Page());
        Assert.True(block.Success, "docs/sharding.md does not show the rights of who changes maps any more");
        return block.Groups[where].Value;
    }

    private static string Page()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "EfScaling.sln")))
        {
            folder = folder.Parent ?? throw new InvalidOperationException("Run the tests from the repository.");
        }

        return File.ReadAllText(Path.Combine(folder.FullName, "docs", "sharding.md"));
    }

    [GeneratedRegex(@"-- in the catalog\n(?<catalog>[^`]+?)-- on each shard\n(?<shard>[^`]+?)```")]
    private static partial Regex Statements();

    [GeneratedRegex(@"-- in the catalog, to change maps\n(?<catalog>[^`]+?)-- on each shard, to change maps\n(?<shard>[^`]+?)```")]
    private static partial Regex StatementsOfChanges();

    [GeneratedRegex(@"GRANT UPDATE \(version\)[^;]+;")]
    private static partial Regex UpdateOfVersions();
}
