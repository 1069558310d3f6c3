using EfScaling.IntegrationTests.Clusters;
using EfScaling.Routing.Schema;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace EfScaling.IntegrationTests.Sharding;

/// <summary>One call on a context that spans all shards creates or migrates the schema of each of them.</summary>
public sealed class ShardSchemaTests(ClusterFixture fixture) : IAsyncLifetime
{
    private readonly LedgerDatabases _databases = new(fixture);

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _databases.DisposeAsync();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task EnsureCreated_creates_every_shard_with_the_rows_that_belong_there(bool isAsync)
    {
        await using var context = _databases.Spanning();
        Assert.False(isAsync ? await context.Database.CanConnectAsync() : context.Database.CanConnect());
        Assert.True(isAsync ? await context.Database.EnsureCreatedAsync() : context.Database.EnsureCreated());
        Assert.True(isAsync ? await context.Database.CanConnectAsync() : context.Database.CanConnect());
        Assert.False(isAsync ? await context.Database.EnsureCreatedAsync() : context.Database.EnsureCreated());
        await AssertPlacedAsync(accounts: 16);
        Assert.All((await _databases.QueryAsync<string>("SELECT \"Code\" FROM \"Currencies\" ORDER BY 1")).Values, codes => Assert.Equal(["EUR", "SEK"], codes));
        Assert.Equal("account 7", (await context.Accounts.SingleAsync(a => a.Id == 7)).Name);

        Assert.True(isAsync ? await context.Database.EnsureDeletedAsync() : context.Database.EnsureDeleted());
        Assert.False(isAsync ? await context.Database.CanConnectAsync() : context.Database.CanConnect());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_shard_whose_migration_fails_is_named_and_the_others_are_done_and_usable(bool isAsync)
    {
        await _databases.CreateAsync("east");
        await _databases.ExecuteAsync("east", "CREATE TABLE \"Currencies\" ()");
        await using var context = _databases.Spanning();
        var failed = isAsync
            ? await Assert.ThrowsAsync<ShardsFailedException>(() => context.Database.MigrateAsync())
            : Assert.Throws<ShardsFailedException>(() => context.Database.Migrate());
        Assert.Equal(["east"], failed.Shards);
        Assert.Equal(PostgresErrorCodes.DuplicateTable, Assert.IsType<PostgresException>(Assert.Single(failed.InnerExceptions)).SqlState);
        Assert.StartsWith($"Migrate{(isAsync ? "Async" : "")} failed on 1 of 4 shards, and is done on the others.", failed.Message, StringComparison.Ordinal);
        Assert.Contains("- shard 'east': 42P07", failed.Message, StringComparison.Ordinal);

        foreach (var id in Enumerable.Range(1, 4).Where(id => ShardOf(id) != "east"))
        {
            Assert.Equal(id, (await context.Accounts.SingleAsync(a => a.Id == id)).Id);
        }

        Assert.Equal(["20260101000000_Accounts", "20260102000000_Entries"], await context.Database.GetPendingMigrationsAsync());
        Assert.Empty(context.Database.GetAppliedMigrations());
        foreach (var shard in await context.Database.GetShardMigrationsAsync())
        {
            Assert.Null(shard.Failure);
            Assert.Equal(shard.Shard == "east" ? null : "20260102000000_Entries", shard.Value!.Version);
            Assert.Equal(shard.Shard == "east" ? ["20260101000000_Accounts", "20260102000000_Entries"] : [], shard.Value.Pending);
        }

        await _databases.ExecuteAsync("east", "DROP TABLE \"Currencies\"");
        if (isAsync)
        {
            await context.Database.MigrateAsync();
        }
        else
        {
            context.Database.Migrate();
        }

        Assert.Empty(context.Database.GetPendingMigrations());
        Assert.Equal(["20260101000000_Accounts", "20260102000000_Entries"], await context.Database.GetAppliedMigrationsAsync());
        await AssertPlacedAsync(accounts: 4);
        Assert.Equal("renamed", (await context.Accounts.SingleAsync(a => a.Id == 3)).Name);
    }

    [Fact]
    public async Task A_migration_can_be_told_to_stop_and_go_back_and_reports_each_shard()
    {
        await using var context = _databases.Spanning();
        var progress = new Reports();
        await context.Database.MigrateShardsAsync("20260101000000_Accounts", maxParallel: 2, progress);
        Assert.Equal(LedgerDatabases.Shards.Order(), progress.Of(ShardStep.Started));
        Assert.Equal(LedgerDatabases.Shards.Order(), progress.Of(ShardStep.Done));
        Assert.Equal([1, 2, 3, 4], progress.Ended);
        Assert.Equal(["20260102000000_Entries"], await context.Database.GetPendingMigrationsAsync());

        await _databases.ExecuteAsync("west", "CREATE TABLE \"Entries\" ()");
        progress = new Reports();
        await Assert.ThrowsAsync<ShardsFailedException>(() => context.Database.MigrateShardsAsync(progress: progress));
        Assert.Equal(["west"], progress.Of(ShardStep.Failed));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => context.Database.MigrateShardsAsync(maxParallel: 0));
    }

    [Fact]
    public async Task Several_processes_may_create_the_same_shards_at_once()
    {
        await Parallel.ForAsync(0, 4, async (_, token) =>
        {
            await using var context = _databases.Spanning();
            await context.Database.EnsureShardsCreatedAsync(cancellationToken: token);
        });
        await AssertPlacedAsync(accounts: 16);
    }

    [Fact]
    public async Task Several_processes_may_migrate_the_same_shards_at_once()
    {
        await Parallel.ForAsync(0, 4, async (_, token) =>
        {
            await using var context = _databases.Spanning();
            await context.Database.MigrateAsync(token);
        });
        await AssertPlacedAsync(accounts: 4);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Seeding_runs_once_on_the_context_that_spans_all_shards_and_when_they_are_there(bool migrates)
    {
        var calls = new List<bool>();
        await using var context = new LedgerContext(_databases.Configure(new DbContextOptionsBuilder<LedgerContext>()).UseAsyncSeeding(async (seeded, changed, token) =>
        {
            calls.Add(changed);
            for (var id = 101; id <= 108 && changed; id++)
            {
                seeded.Add(new Account { Id = id, Name = "seeded" });
                await seeded.SaveChangesAsync(token);
            }
        }).Options);
        for (var i = 0; i < 2; i++)
        {
            if (migrates)
            {
                await context.Database.MigrateAsync();
            }
            else
            {
                await context.Database.EnsureCreatedAsync();
            }
        }

        Assert.Equal([true, false], calls);
        await AssertPlacedAsync(accounts: (migrates ? 4 : 16) + 8);
        Assert.Contains("UseSeeding", Assert.Throws<InvalidOperationException>(() => context.Database.EnsureCreated()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_context_that_configures_itself_creates_every_shard_and_seeds_once()
    {
        var calls = 0;
        SelfConfiguredLedger.Configuration.Value = o => _databases.Configure(o).UseSeeding((_, _) => calls++).UseAsyncSeeding((_, _, _) => Task.FromResult(calls++));
        await using (var context = new SelfConfiguredLedger())
        {
            Assert.True(await context.Database.EnsureCreatedAsync());
            await AssertPlacedAsync(accounts: 16);
            Assert.Equal(1, calls);
            Assert.Equal("account 3", (await context.Accounts.SingleAsync(a => a.Id == 3)).Name);
        }

        await using (var context = new SelfConfiguredLedger())
        {
            context.Database.Migrate();
            Assert.Equal(2, calls);
        }
    }

    [Fact]
    public async Task A_context_that_would_be_created_for_another_database_is_refused()
    {
        SelfConfiguredLedger.Configuration.Value = o => _databases.Configure(o);
        await using var context = new SelfConfiguredLedger();
        _ = context.Model;
        SelfConfiguredLedger.Configuration.Value = o => o.UseNpgsql(_databases.ConnectionTo("north"));
        var failed = await Assert.ThrowsAsync<ShardsFailedException>(() => context.Database.EnsureCreatedAsync());
        Assert.Equal(LedgerDatabases.Shards, failed.Shards);
        Assert.All(failed.InnerExceptions, e => Assert.Contains("its options lead elsewhere", e.Message, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Rows_of_a_table_that_the_model_has_no_more_go_where_the_migration_says_or_nowhere()
    {
        await using var context = new LegacyLedger((DbContextOptions<LegacyLedger>)_databases.Configure(new DbContextOptionsBuilder<LegacyLedger>()).Options);
        await context.Database.MigrateShardsAsync("20260101000000_Placed");
        Assert.All(
            await _databases.QueryAsync<int>("SELECT id FROM things ORDER BY id"),
            found => Assert.Equal(found.Key == "north" ? [1, 2, 3] : [1, 2], found.Value));
        var failed = await Assert.ThrowsAsync<ShardsFailedException>(() => context.Database.MigrateAsync());
        Assert.All(failed.InnerExceptions, e => Assert.Contains("inserts rows into 'things', which the model does not have", e.Message, StringComparison.Ordinal));
        Assert.Equal(["20260102000000_Forgotten"], await context.Database.GetPendingMigrationsAsync());
    }

    [Fact]
    public async Task A_call_inside_a_transaction_of_the_context_is_refused()
    {
        await _databases.CreateAsync("north");
        await using var context = _databases.Spanning();
        await using (await context.Database.BeginTransactionAsync())
        {
            var refusal = await Assert.ThrowsAsync<InvalidOperationException>(() => context.Database.EnsureCreatedAsync());
            Assert.StartsWith("EnsureCreatedAsync was called on a context that spans all shards while a transaction", refusal.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_context_without_shards_is_told_so()
    {
        await using var context = new LedgerContext(new DbContextOptionsBuilder<LedgerContext>().UseNpgsql(_databases.ConnectionTo("north")).Options);
        var refusal = await Assert.ThrowsAsync<InvalidOperationException>(() => context.Database.MigrateShardsAsync());
        Assert.Equal("MigrateShardsAsync was called on a context without shards. Call UseSharding(...) on its options.", refusal.Message);
    }

    private static string ShardOf(int id) => new HashShardMap(LedgerDatabases.Shards).ShardOf(ShardKey.Of(id));

    private async Task AssertPlacedAsync(int accounts)
    {
        var found = await _databases.QueryAsync<int>("SELECT \"Id\" FROM \"Accounts\"");
        Assert.Equal(accounts, found.Sum(f => f.Value.Count));
        Assert.All(found, f => Assert.All(f.Value, id => Assert.Equal(f.Key, ShardOf(id))));
        var settings = await _databases.QueryAsync<string>("SELECT \"Name\" FROM \"Settings\"");
        Assert.Equal(["north"], settings.Where(s => s.Value.Count > 0).Select(s => s.Key));
    }

    private sealed class Reports : IProgress<ShardProgress>
    {
        private readonly List<ShardProgress> _all = [];

        public IEnumerable<int> Ended => _all.Where(p => p.Step != ShardStep.Started).Select(p => p.Ended).Order();

        public IEnumerable<string> Of(ShardStep step) => _all.Where(p => p.Step == step).Select(p => p.Shard).Order();

        public void Report(ShardProgress value)
        {
            lock (_all)
            {
                _all.Add(value);
            }
        }
    }
}
