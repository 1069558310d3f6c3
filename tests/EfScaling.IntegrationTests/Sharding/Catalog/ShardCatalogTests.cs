using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace EfScaling.IntegrationTests.Sharding.Catalog;

/// <summary>A process whose map is old never sees or writes wrong rows: its shards refuse, and it loads the new map and repeats.</summary>
public sealed class ShardCatalogTests(Bank bank) : IClassFixture<Bank>
{
    private static readonly Dictionary<string, Func<BankContext, int, Task<object?>>> _reads = new()
    {
        ["Find"] = async (c, id) => (await c.Accounts.FindAsync(id))?.Balance,
        ["First"] = async (c, id) => (await c.Accounts.FirstOrDefaultAsync(a => a.Id == id))?.Balance,
        ["synchronous"] = (c, id) => Task.FromResult<object?>(c.Accounts.AsNoTracking().Where(a => a.Id == id).Select(a => a.Balance).ToList()),
        ["count"] = async (c, id) => await c.Entries.CountAsync(e => e.AccountId == id),
        ["sum"] = async (c, id) => await c.Entries.Where(e => e.AccountId == id).SumAsync(e => e.Amount),
        ["max of none"] = async (c, id) => await c.Entries.Where(e => e.AccountId == id && e.Amount > 50).MaxAsync(e => (long?)e.Amount),
        ["any"] = async (c, id) => await c.Entries.AnyAsync(e => e.AccountId == id),
        ["all"] = async (c, id) => await c.Entries.Where(e => e.AccountId == id).AllAsync(e => e.Amount < 0),
        ["group"] = async (c, id) => await c.Entries.Where(e => e.AccountId == id).GroupBy(e => e.Amount > 50).Select(g => g.Count()).ToListAsync(),
        ["having"] = async (c, id) => await c.Entries.Where(e => e.AccountId == id).GroupBy(e => e.AccountId).Where(g => g.Count() > 1).Select(g => g.Sum(e => e.Amount)).ToListAsync(),
        ["distinct"] = async (c, id) => await c.Entries.Where(e => e.AccountId == id).Select(e => e.AccountId).Distinct().ToListAsync(),
        ["union"] = async (c, id) => await c.Accounts.Where(a => a.Id == id).Select(a => a.Balance).Union(c.Entries.Where(e => e.AccountId == id).Select(e => e.Amount)).OrderBy(x => x).ToListAsync(),
        ["concat, as it is"] = async (c, id) => (await c.Accounts.Where(a => a.Id == id).Select(a => a.Balance).Concat(c.Entries.Where(e => e.AccountId == id).Select(e => e.Amount)).ToListAsync()).Order().ToList(),
        ["page"] = async (c, id) => await c.Entries.Where(e => e.AccountId == id).OrderBy(e => e.Amount).Skip(1).Take(1).Select(e => e.Amount).ToListAsync(),
        ["Include"] = async (c, id) => (await c.Accounts.Include(a => a.Entries).SingleOrDefaultAsync(a => a.Id == id))?.Entries.Count,
        ["Include, split"] = async (c, id) => (await c.Accounts.AsSplitQuery().Include(a => a.Entries).SingleOrDefaultAsync(a => a.Id == id))?.Entries.Count,
        ["join with a reference table"] = async (c, id) => await c.Accounts.Where(a => a.Id == id).SelectMany(a => c.Rates.Select(r => a.Balance * r.Percent)).ToListAsync(),
        ["or"] = async (c, id) => await c.Accounts.Where(a => (a.Id == id && a.Balance > 1) || (a.Id == id && a.Note == "x")).CountAsync(),
        ["many"] = async (c, id) => await c.Accounts.Where(a => new[] { id }.Contains(a.Id)).CountAsync(),
        ["tag"] = async (c, id) => await c.Accounts.TagWith("two\nlines").CountAsync(a => a.Id == id),
    };

    public static TheoryData<string> Reads => [.. _reads.Keys];

    [Theory]
    [MemberData(nameof(Reads))]
    public async Task A_read_with_an_old_map_sees_the_rows_where_they_are(string name)
    {
        var deaf = bank.Deaf();
        await using var first = deaf.CreateDbContext();
        var expected = await _reads[name](first, 7);
        var version = Bank.MapOf(deaf).Version;
        var to = await bank.MoveAsync(7);
        Assert.Equal(version, Bank.MapOf(deaf).Version);

        await using var context = deaf.CreateDbContext();
        Assert.Equivalent(expected, await _reads[name](context, 7), strict: true);
        Assert.Equal(to, context.Database.LastRouting()!.Value.Shard);
        Assert.Equal(version + 1, Bank.MapOf(deaf).Version);
    }

    [Fact]
    public async Task A_write_with_an_old_map_goes_where_the_rows_are()
    {
        var deaf = bank.Deaf();
        await using var context = deaf.CreateDbContext();
        var account = await context.Accounts.SingleAsync(a => a.Id == 11);
        var to = await bank.MoveAsync(11);
        account.Balance += 5;
        account.Entries.Add(new Entry { Amount = 5 });
        Assert.Equal(2, await context.SaveChangesAsync());
        Assert.Equal(to, context.Database.LastRouting()!.Value.Shard);

        to = await bank.MoveAsync(11);
        account.Note = "one statement";
        Assert.Equal(1, context.SaveChanges());
        Assert.Equal(to, context.Database.LastRouting()!.Value.Shard);

        to = await bank.MoveAsync(11);
        Assert.Equal(1, await context.Accounts.TagWith("tag").Where(a => a.Id == 11).ExecuteUpdateAsync(s => s.SetProperty(a => a.Balance, a => a.Balance + 1)));
        Assert.Equal(to, context.Database.LastRouting()!.Value.Shard);

        to = await bank.MoveAsync(11);
        Assert.Equal(3, context.Entries.Where(e => e.AccountId == 11).ExecuteDelete());
        Assert.Equal(to, context.Database.LastRouting()!.Value.Shard);

        await using var reader = bank.Notified.CreateDbContextOnShard(to);
        var stored = await reader.Accounts.Include(a => a.Entries).SingleAsync(a => a.Id == 11);
        Assert.Equal((106, "one statement", 0), (stored.Balance, stored.Note, stored.Entries.Count));
    }

    [Fact]
    public async Task A_change_that_nobody_tells_of_is_learned_by_asking()
    {
        var asking = bank.Process(c => c.WithoutNotifications().PollInterval(TimeSpan.FromSeconds(1)));
        await using (var context = asking.CreateDbContext())
        {
            Assert.True(await context.Accounts.AnyAsync(a => a.Id == 13));
        }

        // No command is sent that a shard could refuse.
        var version = Bank.MapOf(asking).Version;
        var to = await bank.MoveAsync(13);
        await Eventually.ThatAsync(() => Bank.MapOf(asking).Version > version, TimeSpan.FromSeconds(30), "the process to ask");
        await using var late = asking.CreateDbContext();
        Assert.True(await late.Accounts.AnyAsync(a => a.Id == 13));
        Assert.Equal(to, late.Database.LastRouting()!.Value.Shard);
    }

    [Fact]
    public async Task A_catalog_that_goes_down_stops_no_process_that_has_its_maps()
    {
        // A name of its own, so that the sessions of other processes are left alone.
        var catalog = new NpgsqlConnectionStringBuilder(bank.Catalog) { ApplicationName = $"running_{Guid.NewGuid():N}" };
        var running = bank.Process(c => c.PollInterval(TimeSpan.FromSeconds(1)), catalogConnection: catalog.ConnectionString);
        await using (var context = running.CreateDbContext())
        {
            Assert.True(await context.Accounts.AnyAsync(a => a.Id == 17));
        }

        await bank.ExecuteAsync("north", $"ALTER DATABASE {catalog.Database} ALLOW_CONNECTIONS false");
        try
        {
            await bank.ExecuteAsync("north", $"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{catalog.ApplicationName}'");
            await using var context = running.CreateDbContext();
            var account = await context.Accounts.SingleAsync(a => a.Id == 17);
            account.Note = "written while the catalog was down";
            Assert.Equal(1, await context.SaveChangesAsync());
            Assert.Equal(1, await context.Accounts.CountAsync(a => a.Id == 17 && a.Note == account.Note));
        }
        finally
        {
            await bank.ExecuteAsync("north", $"ALTER DATABASE {catalog.Database} ALLOW_CONNECTIONS true");
        }

        // What changes afterwards reaches it without a command that a shard could refuse.
        var version = Bank.MapOf(running).Version;
        await bank.MoveAsync(17);
        await Eventually.ThatAsync(() => Bank.MapOf(running).Version > version, TimeSpan.FromSeconds(30), "the process to find the catalog again");
    }
}
