using EfScaling.Consistency;
using EfScaling.IntegrationTests.Testing;
using Npgsql;
using NpgsqlTypes;

namespace EfScaling.IntegrationTests.Replication.ChangeStream;

/// <summary>Which tables are reported for what is done to a database, and when.</summary>
public sealed class ReportedChangesTests(LogicalCluster cluster) : IClassFixture<LogicalCluster>
{
    private const string Tables = "CREATE TABLE a (id int PRIMARY KEY, v text); CREATE TABLE b (id int PRIMARY KEY); CREATE TABLE marker (id serial PRIMARY KEY);";

    [ServerFact]
    public async Task Each_way_to_change_rows_is_reported_with_its_tables()
    {
        var database = await cluster.CreateDatabaseAsync(Tables + "CREATE SCHEMA \"Other S\"; CREATE TABLE \"Other S\".\"T 1\" (id int PRIMARY KEY)");
        await using var changes = await ChangeRecorder.StartNewAsync(database);

        foreach (var (sql, tables) in new[]
        {
            ("INSERT INTO a VALUES (1, 'x'), (2, 'y')", "public.a"),
            ("UPDATE a SET v = 'z' WHERE id = 1", "public.a"),
            ("UPDATE a SET id = 3 WHERE id = 1", "public.a"),
            ("INSERT INTO a VALUES (3, 'w') ON CONFLICT (id) DO UPDATE SET v = excluded.v", "public.a"),
            ("MERGE INTO a USING (VALUES (9)) AS n (id) ON a.id = n.id WHEN NOT MATCHED THEN INSERT VALUES (n.id, 'm')", "public.a"),
            ("DELETE FROM a WHERE id = 2", "public.a"),
            ("INSERT INTO \"Other S\".\"T 1\" VALUES (1)", "Other S.T 1"),
            ("BEGIN; INSERT INTO b VALUES (1); INSERT INTO a VALUES (20); SAVEPOINT s; INSERT INTO marker DEFAULT VALUES; ROLLBACK TO s; COMMIT", "public.a public.b"),
            ("TRUNCATE a, b", "public.a public.b"),
            ("DO $$ BEGIN INSERT INTO a VALUES (5); COMMIT; INSERT INTO b VALUES (5); END $$", "public.a"),
        })
        {
            await database.ExecuteAsync(sql);
            Assert.Equal(tables, await changes.NextAsync());
        }

        Assert.Equal("public.b", await changes.NextAsync());
    }

    [ServerFact]
    public async Task Copied_rows_and_those_of_prepared_transactions_are_reported()
    {
        var database = await cluster.CreateDatabaseAsync(Tables);
        await using var changes = await ChangeRecorder.StartNewAsync(database);

        await using (var connection = await database.OpenAsync())
        await using (var copy = await connection.BeginBinaryImportAsync("COPY b FROM STDIN BINARY"))
        {
            for (var i = 0; i < 10_000; i++)
            {
                await copy.StartRowAsync();
                await copy.WriteAsync(i);
            }

            await copy.CompleteAsync();
        }

        Assert.Equal("public.b", await changes.NextAsync());

        await database.ExecuteAsync("BEGIN; INSERT INTO a VALUES (1); PREPARE TRANSACTION 'reported'");
        await database.ExecuteAsync("INSERT INTO marker DEFAULT VALUES");
        Assert.Equal("public.marker", await changes.NextAsync());
        await database.ExecuteAsync("COMMIT PREPARED 'reported'");
        Assert.Equal("public.a", await changes.NextAsync());
    }

    [ServerFact]
    public async Task What_the_database_does_by_itself_is_reported_too()
    {
        var database = await cluster.CreateDatabaseAsync(
            """
            CREATE TABLE a (id int PRIMARY KEY);
            CREATE TABLE child (id int PRIMARY KEY, a int REFERENCES a ON DELETE CASCADE);
            CREATE TABLE loose (id int PRIMARY KEY, a int REFERENCES a ON DELETE SET NULL);
            CREATE TABLE audit (id serial PRIMARY KEY);
            CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO audit DEFAULT VALUES; RETURN NULL; END $$;
            CREATE TRIGGER t AFTER INSERT ON a FOR EACH STATEMENT EXECUTE FUNCTION note();
            """);
        await using var changes = await ChangeRecorder.StartNewAsync(database);

        await database.ExecuteAsync("INSERT INTO a VALUES (1)");
        Assert.Equal("public.a public.audit", await changes.NextAsync());
        await database.ExecuteAsync("INSERT INTO child VALUES (1, 1); INSERT INTO loose VALUES (1, 1)");
        Assert.Equal("public.child public.loose", await changes.NextAsync());
        await database.ExecuteAsync("DELETE FROM a");
        Assert.Equal("public.a public.child public.loose", await changes.NextAsync());
    }

    [ServerFact]
    public async Task Writes_to_partitions_and_heirs_are_reported_for_their_ancestors_too()
    {
        var database = await cluster.CreateDatabaseAsync(
            """
            CREATE SCHEMA parts;
            CREATE TABLE root (id int PRIMARY KEY) PARTITION BY RANGE (id);
            CREATE TABLE low PARTITION OF root FOR VALUES FROM (0) TO (100) PARTITION BY RANGE (id);
            CREATE TABLE parts.lowest PARTITION OF low FOR VALUES FROM (0) TO (10);
            CREATE TABLE high PARTITION OF root FOR VALUES FROM (100) TO (200);
            CREATE TABLE parent (id int PRIMARY KEY);
            CREATE TABLE heir (PRIMARY KEY (id)) INHERITS (parent);
            """);
        await using var changes = await ChangeRecorder.StartNewAsync(database);

        foreach (var (sql, tables) in new[]
        {
            ("INSERT INTO root VALUES (5)", "parts.lowest public.low public.root"),
            ("INSERT INTO high VALUES (150)", "public.high public.root"),
            ("UPDATE root SET id = 160 WHERE id = 5", "parts.lowest public.high public.low public.root"),
            ("TRUNCATE root", "parts.lowest public.high public.low public.root"),
            ("INSERT INTO heir VALUES (1)", "public.heir public.parent"),
            ("DELETE FROM parent", "public.heir public.parent"),
        })
        {
            await database.ExecuteAsync(sql);
            Assert.Equal(tables, await changes.NextAsync());
        }

        // A partition that is made while the stream runs, with a type that its connection has not seen.
        await database.ExecuteAsync(
            "CREATE TYPE mood AS ENUM ('good'); ALTER TABLE root ADD m mood; CREATE TABLE top PARTITION OF root FOR VALUES FROM (200) TO (300); INSERT INTO root VALUES (250, 'good')");
        Assert.Equal("public.root public.top", await changes.NextAsync());
    }

    [ServerFact]
    public async Task A_renamed_table_is_reported_under_its_new_name()
    {
        var database = await cluster.CreateDatabaseAsync(Tables);
        await using var changes = await ChangeRecorder.StartNewAsync(database);
        await database.ExecuteAsync("INSERT INTO a VALUES (1)");
        Assert.Equal("public.a", await changes.NextAsync());

        await database.ExecuteAsync("ALTER TABLE a RENAME TO renamed");
        await database.ExecuteAsync("INSERT INTO renamed VALUES (2)");

        Assert.Contains("public.renamed", (await changes.NextAsync()).Split(' '));
    }

    [ServerFact]
    public async Task Transactions_are_reported_in_the_order_of_commits_and_rolled_back_ones_never()
    {
        var database = await cluster.CreateDatabaseAsync(Tables);
        await using var changes = await ChangeRecorder.StartNewAsync(database);
        await using var early = await database.OpenAsync();
        await using var rolledBack = await database.OpenAsync();
        await using var first = await early.BeginTransactionAsync();
        await using var second = await rolledBack.BeginTransactionAsync();
        await new NpgsqlCommand("INSERT INTO a VALUES (1)", early).ExecuteNonQueryAsync();
        await new NpgsqlCommand("INSERT INTO b VALUES (1)", rolledBack).ExecuteNonQueryAsync();

        await database.ExecuteAsync("INSERT INTO marker DEFAULT VALUES");
        Assert.Equal("public.marker", await changes.NextAsync());
        await second.RollbackAsync();
        await database.ExecuteAsync("INSERT INTO marker DEFAULT VALUES");
        Assert.Equal("public.marker", await changes.NextAsync());
        await first.CommitAsync();
        Assert.Equal("public.a", await changes.NextAsync());
    }
}
