using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using EfScaling.Sharding.Catalog;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace EfScaling.IntegrationTests.Sharding.Catalog;

/// <summary>How a process comes by its first maps, and what it says if it cannot.</summary>
public sealed class ShardCatalogStartTests(Bank bank) : IClassFixture<Bank>
{
    private static readonly string _nowhere = new NpgsqlConnectionStringBuilder { Host = "127.0.0.1", Port = 1, Username = "u", Password = "hidden", Database = "d" }.ConnectionString;

    [Fact]
    public async Task Without_the_catalog_a_process_starts_with_the_maps_that_were_kept_and_is_never_wrong_with_old_ones()
    {
        var file = Path.Combine(Directory.CreateTempSubdirectory("efscaling").FullName, "shards.json");
        await using (var context = bank.Process(c => c.CacheFile(file)).CreateDbContext())
        {
            Assert.True(await context.Accounts.AnyAsync(a => a.Id == 1));
        }

        var alone = bank.Process(c => c.CacheFile(file), catalogConnection: _nowhere);
        await using (var context = alone.CreateDbContext())
        {
            var account = await context.Accounts.SingleAsync(a => a.Id == 1);
            account.Note = "written without the catalog";
            await context.SaveChangesAsync();
        }

        await bank.MoveAsync(1);
        await using var late = alone.CreateDbContext();
        late.Database.SetCommandTimeout(1);
        var refused = await Assert.ThrowsAsync<ShardMapChangedException>(() => late.Accounts.SingleOrDefaultAsync(a => a.Id == 1));
        Assert.Contains("The catalog does not answer", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_missing_is_said_without_secrets()
    {
        Assert.Contains("keep the last known maps by CacheFile(...)", await RefusalOfAsync(catalogConnection: _nowhere), StringComparison.Ordinal);
        Assert.Contains("does not exist yet", await RefusalOfAsync(c => c.CacheFile("/nonexistent/shards.json"), catalogConnection: _nowhere), StringComparison.Ordinal);
        Assert.Contains("Call Database.CreateShardCatalogAsync() once", await RefusalOfAsync(catalogConnection: bank.ConnectionTo("south")), StringComparison.Ordinal);
        Assert.Contains("'west', which UseSharding does not have", await RefusalOfAsync(shards: ["north", "south"]), StringComparison.Ordinal);
        Assert.Contains("call Buckets(16) in UseSharding", await RefusalOfAsync(sharding: s => s.Buckets(32)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Callers_share_the_failure_of_a_catalog_that_breaks_and_do_not_queue_for_their_own()
    {
        using var breaking = new TcpListener(IPAddress.Loopback, 0);
        using var breaks = new SemaphoreSlim(0);
        breaking.Start();
        var connected = 0;
        var accepting = Task.Run(async () =>
        {
            while (true)
            {
                using var connection = await breaking.AcceptTcpClientAsync();
                Interlocked.Increment(ref connected);
                await breaks.WaitAsync();
            }
        });
        var options = new ShardCatalogOptions
        {
            ConnectionString = $"Host=127.0.0.1;Port={((IPEndPoint)breaking.LocalEndpoint).Port};Username=u;Database=d;SSL Mode=Disable;Gss Encryption Mode=Disable",
        };
        await using var catalog = new ShardCatalog(options, _ => throw new UnreachableException(), TimeProvider.System, NullLogger.Instance);

        // The first asks, and all others come before its question ends: they share the second.
        var questions = Enumerable.Range(0, 6).Select(_ => catalog.RefreshAsync(CancellationToken.None)).ToList();
        breaks.Release(2);
        foreach (var question in questions)
        {
            await Assert.ThrowsAsync<NpgsqlException>(() => question);
        }

        Assert.Equal(2, connected);
        var loads = Enumerable.Range(0, 6).Select(_ => catalog.LoadAsync(CancellationToken.None).AsTask()).ToList();
        breaks.Release(2);
        foreach (var load in loads)
        {
            Assert.Contains("keep the last known maps by CacheFile(...)", (await Assert.ThrowsAsync<InvalidOperationException>(() => load)).Message, StringComparison.Ordinal);
        }

        Assert.Equal(4, connected);
        breaking.Stop();
        await Assert.ThrowsAnyAsync<Exception>(() => accepting);
    }

    [Fact]
    public async Task What_needs_no_map_needs_no_catalog()
    {
        await using var context = bank.Process(catalogConnection: _nowhere).CreateDbContext();
        Assert.Equal(1, await context.Rates.CountAsync());
    }

    [Fact]
    public async Task A_file_that_is_damaged_is_refused()
    {
        var file = Path.Combine(Directory.CreateTempSubdirectory("efscaling").FullName, "shards.json");
        await File.WriteAllTextAsync(file, "no digest\n{}");
        Assert.Contains("The file is damaged", await RefusalOfAsync(c => c.CacheFile(file), catalogConnection: _nowhere), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Making_the_catalog_again_changes_nothing_and_adds_what_is_new()
    {
        await bank.MoveAsync(2);
        var before = await bank.PresentMapAsync();
        await using (var context = bank.Notified.CreateDbContext())
        {
            await context.Database.CreateShardCatalogAsync();
        }

        Assert.Equal(before.Fingerprint, (await bank.PresentMapAsync()).Fingerprint);
        await using var reader = bank.Deaf().CreateDbContext();
        Assert.Equal(100, (await reader.Accounts.SingleAsync(a => a.Id == 2)).Balance);
    }

    [Fact]
    public async Task A_database_that_is_another_shard_is_refused()
    {
        await using var context = bank.Process(sharding: s => s.AddShard("east", bank.ConnectionTo("north")), shards: ["south", "west"]).CreateDbContext();
        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => context.Database.CreateShardCatalogAsync());
        Assert.Contains("The database of shard 'east' is the shard 'north' already", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_process_hears_of_a_change_that_no_command_of_it_has_met()
    {
        var process = bank.Process(c => c.PollInterval(TimeSpan.FromHours(5)));
        var version = Bank.MapOf(process).Version;
        await bank.MoveAsync(3);
        await EfScaling.Testing.Eventually.ThatAsync(() => Task.FromResult(Bank.MapOf(process).Version == version + 1), TimeSpan.FromSeconds(20), "the process is told");
    }

    [Fact]
    public async Task With_a_catalog_only_SQL_of_sharded_tables_has_a_guard()
    {
        await using var context = bank.Notified.CreateDbContext();
        Assert.Contains("efscaling.owns", context.Accounts.Where(a => a.Id == 1).ToQueryString(), StringComparison.Ordinal);
        Assert.DoesNotContain("efscaling", context.Rates.ToQueryString(), StringComparison.Ordinal);
    }

    private async Task<string> RefusalOfAsync(
        Action<EfScaling.Sharding.Catalog.ShardCatalogOptionsBuilder>? catalog = null,
        string? catalogConnection = null,
        Action<ShardingOptionsBuilder>? sharding = null,
        IEnumerable<string>? shards = null)
    {
        await using var context = bank.Process(catalog, catalogConnection: catalogConnection, sharding: sharding, shards: shards).CreateDbContext();
        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => context.Accounts.AnyAsync(a => a.Id == 1));
        Assert.DoesNotContain("hidden", refused.Message, StringComparison.Ordinal);
        return refused.Message;
    }
}
