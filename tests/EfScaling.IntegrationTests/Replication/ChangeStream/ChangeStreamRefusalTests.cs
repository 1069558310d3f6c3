using EfScaling.IntegrationTests.Testing;
using EfScaling.Testing;
using Npgsql;

namespace EfScaling.IntegrationTests.Replication.ChangeStream;

/// <summary>Servers that are not set up for reading changes: the refusal names what to do.</summary>
public sealed class ChangeStreamRefusalTests(LogicalCluster cluster) : IClassFixture<LogicalCluster>
{
    [ServerFact]
    public async Task Without_logical_decoding_the_message_names_the_setting()
    {
        await using var plain = await PostgresCluster.StartAsync(new() { Standbys = 0 });

        var message = await RefusalAsync(new LogicalDatabase("app", plain.Primary.ConnectionString));

        Assert.Contains("wal_level = 'logical'", message, StringComparison.Ordinal);
        Assert.Contains("'replica'", message, StringComparison.Ordinal);
        Assert.DoesNotContain("Password", message, StringComparison.OrdinalIgnoreCase);
    }

    [ServerFact]
    public async Task A_role_without_the_right_to_replicate_is_named_and_one_with_it_needs_only_the_publication()
    {
        var database = await cluster.CreateDatabaseAsync("CREATE TABLE a (id serial PRIMARY KEY); CREATE ROLE reader LOGIN PASSWORD 'x'; GRANT INSERT, SELECT ON a TO reader");
        var reader = database with
        {
            ConnectionString = new NpgsqlConnectionStringBuilder(database.ConnectionString) { Username = "reader", Password = "x" }.ConnectionString,
        };

        Assert.Contains("ALTER ROLE \"reader\" REPLICATION", await RefusalAsync(reader), StringComparison.Ordinal);

        await database.ExecuteAsync("ALTER ROLE reader REPLICATION");
        Assert.Contains("let a superuser run CREATE PUBLICATION efscaling_cache FOR ALL TABLES", await RefusalAsync(reader), StringComparison.Ordinal);

        await database.ExecuteAsync("CREATE PUBLICATION efscaling_cache FOR ALL TABLES");
        await using var changes = await ChangeRecorder.StartNewAsync(reader);
        await database.ExecuteAsync("INSERT INTO a DEFAULT VALUES");
        Assert.Equal("public.a", await changes.NextAsync());
    }

    [ServerFact]
    public async Task Tables_that_a_publication_would_make_read_only_are_named()
    {
        var database = await cluster.CreateDatabaseAsync(
            """
            CREATE TABLE fine (id int PRIMARY KEY);
            CREATE TABLE keyless (id int);
            CREATE TABLE full_rows (id int);
            ALTER TABLE full_rows REPLICA IDENTITY FULL;
            CREATE UNLOGGED TABLE unlogged (id int);
            """);

        var message = await RefusalAsync(database);

        Assert.Contains("'public.keyless'", message, StringComparison.Ordinal);
        Assert.Contains("REPLICA IDENTITY FULL", message, StringComparison.Ordinal);
        Assert.DoesNotContain("fine", message, StringComparison.Ordinal);
        Assert.DoesNotContain("full_rows", message, StringComparison.Ordinal);
        Assert.DoesNotContain("unlogged", message, StringComparison.Ordinal);
        Assert.Equal(0, await database.ScalarAsync<long>("SELECT count(*) FROM pg_publication"));

        await database.ExecuteAsync("ALTER TABLE keyless REPLICA IDENTITY FULL");
        await using var changes = await ChangeRecorder.StartNewAsync(database);
        await database.ExecuteAsync("INSERT INTO keyless VALUES (1); UPDATE keyless SET id = 2; DELETE FROM keyless");
        Assert.Equal("public.keyless", await changes.NextAsync());
    }

    [ServerFact]
    public async Task A_publication_that_leaves_changes_out_is_refused()
    {
        var database = await cluster.CreateDatabaseAsync("CREATE TABLE a (id int PRIMARY KEY)");
        foreach (var (sql, mend) in new[]
        {
            ("CREATE PUBLICATION efscaling_cache FOR TABLE a", "FOR ALL TABLES"),
            ("CREATE PUBLICATION efscaling_cache FOR ALL TABLES WITH (publish = 'insert, update, delete')", "publish = 'insert, update, delete, truncate'"),
            ("CREATE PUBLICATION efscaling_cache FOR ALL TABLES WITH (publish_via_partition_root)", "publish_via_partition_root = false"),
        })
        {
            await database.ExecuteAsync(sql);
            Assert.Contains(mend, await RefusalAsync(database), StringComparison.Ordinal);
            await database.ExecuteAsync("DROP PUBLICATION efscaling_cache");
        }
    }

    [ServerFact]
    public async Task What_was_refused_is_read_once_it_is_mended()
    {
        var database = await cluster.CreateDatabaseAsync("CREATE TABLE a (id int PRIMARY KEY); CREATE PUBLICATION efscaling_cache FOR TABLE a");
        await using var changes = ChangeRecorder.Start(database);
        await changes.RefusalAsync();

        await database.ExecuteAsync("DROP PUBLICATION efscaling_cache");

        Assert.Equal("everything", await changes.NextAsync());
    }

    [ServerFact]
    public async Task A_slot_of_something_else_is_refused()
    {
        var database = await cluster.CreateDatabaseAsync("CREATE TABLE a (id int PRIMARY KEY)");
        await database.ExecuteAsync($"SELECT pg_create_physical_replication_slot('{database.Slot}')");
        Assert.Contains($"'{database.Slot}'", await RefusalAsync(database), StringComparison.Ordinal);
    }

    private static async Task<string> RefusalAsync(LogicalDatabase database)
    {
        await using var changes = ChangeRecorder.Start(database);
        return await changes.RefusalAsync();
    }
}
