using EfScaling.Consistency;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Routing.Checks;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace EfScaling.IntegrationTests.Sharding;

/// <summary>Rows in the wrong place, schemas that differ and shards that cannot be used are found and named.</summary>
public sealed class ShardCheckTests(ClusterFixture fixture) : IAsyncLifetime
{
    private readonly LedgerDatabases _databases = new(fixture);

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _databases.DisposeAsync();

    [Theory]
    [InlineData(2)]
    [InlineData(10_000)]
    public async Task Rows_on_the_wrong_shard_are_found_with_where_they_belong(int pageSize)
    {
        await using var context = _databases.Spanning();
        await context.Database.EnsureCreatedAsync();
        var options = new PlacementCheckOptions { PageSize = pageSize, Examples = 3 };
        var right = await context.Database.VerifyPlacementAsync(options);
        Assert.True(right.IsRight, right.ToString());
        Assert.Equal(16 + (4 * 2), right.Rows);

        await _databases.ExecuteAsync("east", "INSERT INTO \"Accounts\" SELECT id, 'stray' FROM generate_series(1001, 1100) AS id");
        await _databases.ExecuteAsync("south", "INSERT INTO \"Settings\" VALUES ('stray', 'x')");
        await _databases.ExecuteAsync("west", "INSERT INTO \"Currencies\" VALUES ('XXX', 'stray')");
        await _databases.ExecuteAsync("east", "UPDATE \"Currencies\" SET \"Name\" = 'changed' WHERE \"Code\" = 'EUR'");
        var map = new HashShardMap(LedgerDatabases.Shards);
        var strays = Enumerable.Range(1001, 100).Count(id => map.ShardOf(ShardKey.Of(id)) != "east");
        var wrong = await context.Database.VerifyPlacementAsync(options);
        Assert.False(wrong.IsRight);
        Assert.Equal(strays + 1, wrong.Misplaced);
        Assert.Equal(
            [("east", "Accounts"), ("south", "Settings"), ("east", "Currencies"), ("west", "Currencies")],
            wrong.Tables.Where(t => !t.IsRight).Select(t => (t.Shard, t.Table)));
        var accounts = wrong.Tables.Single(t => t is { Shard: "east", Table: "Accounts" });
        Assert.Equal(strays, accounts.Misplaced);
        Assert.Equal(3, accounts.Examples.Count);
        Assert.All(accounts.Examples, e => Assert.Equal(map.ShardOf(e.Key), e.BelongsTo));
        Assert.Contains($"'Accounts' on shard 'east': {strays} of ", wrong.ToString(), StringComparison.Ordinal);
        Assert.Contains("'Currencies' on shard 'west': it has 3 rows, and 2 on shard 'north'", wrong.ToString(), StringComparison.Ordinal);
        Assert.Contains("'Currencies' on shard 'east': its rows differ from those on shard 'north'", wrong.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("100", accounts.Examples[0].ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Rows_of_maps_without_buckets_and_of_pinned_keys_are_judged_one_by_one()
    {
        await using (var context = _databases.Spanning())
        {
            await context.Database.EnsureCreatedAsync();
        }

        await using (var ranges = With(_ => new RangeShardMap([new(null, ShardKey.Of(9), "north"), new(ShardKey.Of(9), null, "east")], version: 2)))
        {
            var result = await ranges.Database.VerifyPlacementAsync(new PlacementCheckOptions { PageSize = 3 });
            var expected = Enumerable.Range(1, 16).Count(id => new HashShardMap(LedgerDatabases.Shards).ShardOf(ShardKey.Of(id)) != (id < 9 ? "north" : "east"));
            Assert.Equal(expected, result.Misplaced);
        }

        await using var pinned = With(names => new DirectoryShardMap(
            new HashShardMap(names, keyTypes: [ShardKeyType.Int4]), [new(ShardKey.Of(7), names.First(n => n != new HashShardMap(names).ShardOf(ShardKey.Of(7))))], version: 2));
        var found = await pinned.Database.VerifyPlacementAsync();
        Assert.Equal(1, found.Misplaced);
        Assert.Equal(ShardKey.Of(7), Assert.Single(found.Tables.SelectMany(t => t.Examples)).Key);
    }

    [Fact]
    public async Task Differences_between_the_schemas_of_shards_are_told_by_name()
    {
        await using var context = _databases.Spanning();
        await context.Database.EnsureCreatedAsync();
        Assert.Empty(await context.Database.CompareShardSchemasAsync());

        await _databases.ExecuteAsync("east", "DROP INDEX \"IX_Accounts_Name\"");
        await _databases.ExecuteAsync("south", "ALTER TABLE \"Entries\" ALTER \"Amount\" TYPE numeric(10,2), DROP CONSTRAINT \"FK_Entries_Accounts_AccountId\"");
        await _databases.ExecuteAsync("west", "DROP TABLE \"Settings\"; CREATE TABLE extra (id int PRIMARY KEY)");
        Assert.Equal(
            [
                "shard 'east' lacks index public.Accounts.IX_Accounts_Name",
                "shard 'south' has column public.Entries.Amount as \"numeric(10,2) not null\", and others as \"numeric not null\"",
                "shard 'south' lacks constraint public.Entries.FK_Entries_Accounts_AccountId",
                "shard 'west' lacks table public.Settings",
                "shard 'west' has table public.extra, which most others lack",
            ],
            (await context.Database.CompareShardSchemasAsync()).Select(d => d.Description));
    }

    [Fact]
    public async Task A_shard_whose_migrations_are_behind_is_told_by_name()
    {
        await using var context = _databases.Spanning();
        await context.Database.MigrateShardsAsync("20260101000000_Accounts");
        await using (var ahead = Bound("east"))
        {
            await ahead.Database.MigrateAsync();
        }

        var differences = await context.Database.CompareShardSchemasAsync();
        Assert.Equal(["north", "south", "west"], differences.Where(d => d.Kind == "migration").Select(d => d.Shard));
        Assert.Contains("shard 'west' lacks migration 20260102000000_Entries", differences.Select(d => d.ToString()));
    }

    [Fact]
    public async Task Shards_that_are_well_are_found_well_and_one_that_is_down_or_missing_is_named()
    {
        await using var context = _databases.Spanning();
        await context.Database.EnsureCreatedAsync();
        var result = await context.Database.CheckShardsAsync();
        Assert.Empty(result.Findings);
        result.ThrowIfUnhealthy();

        await _databases.DropAsync("south");
        result = await context.Database.CheckShardsAsync();
        var finding = Assert.Single(result.Findings);
        Assert.Equal(("south", ShardFindingKind.Unreachable), (finding.Shard, finding.Kind));
        Assert.StartsWith("The shards were checked, and cannot be used as they are:\n- shard 'south': it did not answer", Assert.Throws<InvalidOperationException>(result.ThrowIfUnhealthy).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_database_with_another_encoding_is_refused_by_name_before_a_command_runs()
    {
        await _databases.CreateAsync("east", "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
        await using var context = _databases.Spanning();
        var failed = await Assert.ThrowsAsync<ShardsFailedException>(() => context.Database.EnsureCreatedAsync());
        Assert.Equal(["east"], failed.Shards);
        foreach (var id in Enumerable.Range(1, 16))
        {
            if (ShardOf(id) == "east")
            {
                var refusal = await Assert.ThrowsAnyAsync<InvalidOperationException>(() => context.Accounts.AnyAsync(a => a.Id == id));
                Assert.StartsWith("A connection to the shard 'east' was refused: its database", refusal.Message, StringComparison.Ordinal);
                Assert.Contains("has the encoding 'SQL_ASCII'", refusal.Message, StringComparison.Ordinal);
                context.Add(new Entry { AccountId = id, Number = 1 });
                await Assert.ThrowsAnyAsync<InvalidOperationException>(() => context.SaveChangesAsync());
                context.ChangeTracker.Clear();
            }
            else
            {
                Assert.True(await context.Accounts.AnyAsync(a => a.Id == id));
            }
        }

        var found = await context.Database.CheckShardsAsync();
        Assert.Equal(("east", ShardFindingKind.WrongEncoding), Assert.Single(found.Findings.Select(f => (f.Shard, f.Kind))));
    }

    [Fact]
    public async Task Two_shards_that_are_one_database_by_two_names_are_found_when_both_are_used()
    {
        await using (var context = _databases.Spanning())
        {
            await context.Database.EnsureCreatedAsync();
        }

        var alias = new NpgsqlConnectionStringBuilder(_databases.ConnectionTo("west")) { Host = "localhost" }.ConnectionString;
        await using var twins = With(map: null, s => s.AddShard("twin", alias));
        var result = await twins.Database.CheckShardsAsync();
        Assert.Contains("shard 'twin': it is the same database as shard 'west'", result.ToString(), StringComparison.Ordinal);

        await Eventually.ThatAsync(
            async () =>
            {
                try
                {
                    foreach (var id in Enumerable.Range(1, 16))
                    {
                        await twins.Accounts.AnyAsync(a => a.Id == id);
                    }

                    return false;
                }
                catch (InvalidOperationException refusal)
                {
                    Assert.StartsWith("The shards 'twin' and 'west' are the same database", refusal.Message, StringComparison.Ordinal);
                    return true;
                }
            },
            TimeSpan.FromSeconds(20),
            "the two shards are found to be one");
    }

    [Fact]
    public void Two_shards_with_the_same_address_are_refused_before_any_command()
    {
        using var twins = With(map: null, s => s.AddShard("twin", _databases.ConnectionTo("west")));
        var refusal = Assert.Throws<InvalidOperationException>(() => twins.Accounts.Any(a => a.Id == 1));
        Assert.StartsWith("UseSharding leads the shards 'west' and 'twin' to the same database 'ledger_", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_process_with_another_map_than_the_shards_were_set_up_with_is_found()
    {
        await using (var context = _databases.Spanning())
        {
            await context.Database.EnsureCreatedAsync();
        }

        await using (var other = With(names => new HashShardMap(names, buckets: 512, keyTypes: [ShardKeyType.Int4])))
        {
            var result = await other.Database.CheckShardsAsync();
            Assert.Equal(LedgerDatabases.Shards, result.Findings.Where(f => f.Kind == ShardFindingKind.MapDiffers).Select(f => f.Shard));
            Assert.Contains("shard 'east': it was set up with another version 1 of the shard map than this process has.", result.ToString(), StringComparison.Ordinal);
            var failed = await Assert.ThrowsAsync<ShardsFailedException>(() => other.Database.EnsureCreatedAsync());
            Assert.Contains("set up with another version 1 of the shard map", failed.Message, StringComparison.Ordinal);
        }

        await using (var next = With(names => new HashShardMap(names, keyTypes: [ShardKeyType.Int4]).With(0, "west")))
        {
            await next.Database.EnsureCreatedAsync();
            Assert.Empty((await next.Database.CheckShardsAsync()).Findings);
        }

        await using var old = _databases.Spanning();
        Assert.Contains("it was set up with version 2 of the shard map, and this process has version 1", (await old.Database.CheckShardsAsync()).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_shard_that_is_down_fails_by_name_and_keys_of_the_others_are_answered()
    {
        var direct = new NpgsqlConnectionStringBuilder(_databases.ConnectionTo("west"));
        await using var proxy = await TcpProxy.StartAsync(direct.Host!, direct.Port);
        await using var context = _databases.Spanning();
        await context.Database.EnsureCreatedAsync();
        await using var cut = new LedgerContext(_databases.Configure(
            new DbContextOptionsBuilder<LedgerContext>(),
            s => s.UseMap(names => new HashShardMap(names, keyTypes: [ShardKeyType.Int4])),
            west: new NpgsqlConnectionStringBuilder(direct.ConnectionString) { Host = proxy.Host, Port = proxy.Port }.ConnectionString).Options);
        var (there, gone) = (Enumerable.Range(1, 16).First(id => ShardOf(id) == "north"), Enumerable.Range(1, 16).First(id => ShardOf(id) == "west"));
        Assert.True(await cut.Accounts.AnyAsync(a => a.Id == gone));
        var account = await cut.Accounts.SingleAsync(a => a.Id == gone);
        account.Name = "changed";
        await proxy.CutAsync();

        foreach (var attempt in new Func<Task>[]
        {
            () => cut.Accounts.AnyAsync(a => a.Id == gone),
            () => Task.FromResult(cut.Accounts.Any(a => a.Id == gone)),
            () => cut.Accounts.Where(a => a.Id == gone).ExecuteDeleteAsync(),
            () => cut.SaveChangesAsync(),
            () => Task.FromResult(cut.SaveChanges()),
        })
        {
            var failure = await Assert.ThrowsAnyAsync<Exception>(attempt);
            var named = Causes(failure).OfType<ShardConnectionException>().Single();
            Assert.Equal("west", named.Shard);
            Assert.StartsWith("A command failed on the shard 'west', and other shards are not concerned:", named.Message, StringComparison.Ordinal);
            Assert.True(named.IsTransient);
            Assert.True(await cut.Accounts.AnyAsync(a => a.Id == there));
        }

        await _databases.DropAsync("south");
        var lost = Enumerable.Range(1, 16).First(id => ShardOf(id) == "south");
        var dropped = await Assert.ThrowsAnyAsync<Exception>(() => context.Accounts.AnyAsync(a => a.Id == lost));
        Assert.Equal(PostgresErrorCodes.InvalidCatalogName, Causes(dropped).OfType<ShardConnectionException>().Single().SqlState);
    }

    [Fact]
    public async Task A_role_that_may_only_read_and_write_rows_finds_everything_created()
    {
        await using (var owner = _databases.Spanning())
        {
            await owner.Database.EnsureCreatedAsync();
        }

        var role = await _databases.CreateRoleAsync();
        await using var context = new LedgerContext(_databases.Configure(new DbContextOptionsBuilder<LedgerContext>(), role: role).Options);
        Assert.False(await context.Database.EnsureCreatedAsync());
        Assert.False(context.Database.EnsureCreated());
        Assert.Equal(ShardFindingKind.MapNotRecorded, (await context.Database.CheckShardsAsync()).Findings.Select(f => f.Kind).Distinct().Single());
    }

    [Fact]
    public async Task Placement_is_verified_on_replicas_if_asked_to()
    {
        await using var context = new LedgerContext(_databases.ConfigureWithReplicas(new DbContextOptionsBuilder<LedgerContext>()).Options);
        await context.Database.EnsureCreatedAsync();
        await Eventually.ThatAsync(
            async () =>
            {
                try
                {
                    var result = await context.Database.VerifyPlacementAsync(new PlacementCheckOptions { Contract = ReadContract.Any, PageSize = 5 });
                    return result is { IsRight: true, Rows: 24 };
                }
                catch (ShardsFailedException)
                {
                    // The monitor has not measured the new databases yet.
                    return false;
                }
            },
            TimeSpan.FromSeconds(20),
            "replicas show all rows");
    }

    private static IEnumerable<Exception> Causes(Exception? exception)
    {
        for (; exception is not null; exception = exception.InnerException)
        {
            yield return exception;
        }
    }

    private static string ShardOf(int id) => new HashShardMap(LedgerDatabases.Shards).ShardOf(ShardKey.Of(id));

    private LedgerContext Bound(string shard) => new(Infrastructure.ShardBinding.Bind(_databases.Configure(new DbContextOptionsBuilder<LedgerContext>()).Options, shard));

    private LedgerContext With(Func<IReadOnlyList<string>, ShardMap>? map, Action<ShardingOptionsBuilder>? more = null) => new(_databases.Configure(
        new DbContextOptionsBuilder<LedgerContext>(),
        s =>
        {
            more?.Invoke(s);
            if (map is not null)
            {
                s.UseMap(map);
            }
        }).Options);
}
