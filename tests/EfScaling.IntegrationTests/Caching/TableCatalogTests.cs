using EfScaling.Caching;
using EfScaling.Testing;
using Npgsql;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>The catalog of a real database, and that no table changes that the catalog does not foresee.</summary>
public sealed class TableCatalogTests(TableCatalogTests.Database database) : IClassFixture<TableCatalogTests.Database>
{
    private const string Schema =
        """"
        CREATE SCHEMA a; CREATE SCHEMA b; CREATE SCHEMA hidden; CREATE SCHEMA "odd.name";
        CREATE TABLE a.orders (id int PRIMARY KEY); CREATE TABLE b.orders (id int PRIMARY KEY); CREATE TABLE b.items (id int PRIMARY KEY, text text, at timestamptz);
        CREATE TABLE hidden.orders (id int PRIMARY KEY); CREATE TABLE hidden.secret (id int);
        CREATE TABLE "odd.name"."größe 1 ""x""" (id int); CREATE TABLE "odd.name"."CamelCase" (id int);
        CREATE TABLE public.pg_mine (id int);
        CREATE UNLOGGED TABLE b.unlogged (id int);
        CREATE SEQUENCE b.numbers;

        CREATE TABLE b.measures (id int, region int, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
        CREATE TABLE b.measures_1 PARTITION OF b.measures FOR VALUES IN (1, 2) PARTITION BY LIST (region);
        CREATE TABLE b.measures_1_a PARTITION OF b.measures_1 FOR VALUES IN (1);
        CREATE TABLE b.measures_1_b PARTITION OF b.measures_1 FOR VALUES IN (2);
        CREATE TABLE b.measures_2 PARTITION OF b.measures FOR VALUES IN (3);
        CREATE TABLE b.notes (id int, region int, FOREIGN KEY (id, region) REFERENCES b.measures ON DELETE CASCADE);

        CREATE TABLE b.parent (id int); CREATE TABLE b.other (id int);
        CREATE TABLE b.child () INHERITS (b.parent); CREATE TABLE b.both () INHERITS (b.parent, b.other);

        CREATE TABLE b.root (id int PRIMARY KEY);
        CREATE TABLE b.cascaded (id int PRIMARY KEY, root int REFERENCES b.root ON DELETE CASCADE);
        CREATE TABLE b.deep (id int PRIMARY KEY, cascaded int REFERENCES b.cascaded ON DELETE CASCADE);
        CREATE TABLE b.nulled (id int PRIMARY KEY, root int UNIQUE REFERENCES b.root ON DELETE SET NULL);
        CREATE TABLE b.defaulted (id int PRIMARY KEY, root int DEFAULT NULL REFERENCES b.root ON DELETE SET DEFAULT);
        CREATE TABLE b.followed (id int, root int REFERENCES b.nulled (root) ON UPDATE CASCADE);
        CREATE TABLE b.renamed (id int, root int REFERENCES b.root ON UPDATE CASCADE);
        CREATE TABLE b.refusing (id int, root int REFERENCES b.root);
        CREATE TABLE b.tree (id int PRIMARY KEY, parent int REFERENCES b.tree ON DELETE CASCADE);
        CREATE TABLE b.ring_1 (id int PRIMARY KEY, next int);
        CREATE TABLE b.ring_2 (id int PRIMARY KEY, next int REFERENCES b.ring_1 ON DELETE CASCADE);
        ALTER TABLE b.ring_1 ADD FOREIGN KEY (next) REFERENCES b.ring_2 ON DELETE CASCADE;

        CREATE TABLE b.triggered (id int); CREATE TABLE b.quiet (id int); CREATE TABLE b.ruled (id int);
        CREATE FUNCTION b.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER t AFTER INSERT ON b.triggered FOR EACH ROW EXECUTE FUNCTION b.nothing();
        CREATE TRIGGER t AFTER INSERT ON b.quiet FOR EACH ROW EXECUTE FUNCTION b.nothing();
        ALTER TABLE b.quiet DISABLE TRIGGER t;
        CREATE RULE r AS ON INSERT TO b.ruled DO ALSO DELETE FROM b.items;

        CREATE FUNCTION b.stable() RETURNS int STABLE LANGUAGE sql AS 'SELECT count(*)::int FROM b.items';
        CREATE FUNCTION b.immutable(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 + 1';
        CREATE FUNCTION b.plus(int, text) RETURNS int VOLATILE LANGUAGE sql AS 'SELECT 1';
        CREATE OPERATOR b.### (leftarg = int, rightarg = text, function = b.plus);
        CREATE VIEW b.simple AS SELECT id FROM b.items;
        CREATE VIEW b.joined AS SELECT s.id FROM b.simple s JOIN a.orders o USING (id) WHERE EXISTS (SELECT FROM b.parent);
        CREATE VIEW b.partitioned AS SELECT * FROM b.measures;
        CREATE VIEW b.grouped AS SELECT b.immutable(id), count(*), max(at::date), to_char(max(at), 'YYYY') FROM b.items WHERE at > '2020-01-01' AND id = ANY (ARRAY[1, 2]) AND at - interval '1 day' < at GROUP BY id;
        CREATE VIEW b.now AS SELECT id FROM b.items WHERE at > now();
        CREATE VIEW b.over_now AS SELECT * FROM b.now;
        CREATE VIEW b.today AS SELECT id, CURRENT_DATE FROM b.items;
        CREATE VIEW b.random AS SELECT id FROM b.items ORDER BY random();
        CREATE VIEW b.aged AS SELECT age(at) FROM b.items;
        CREATE VIEW b.mine AS SELECT id FROM b.items WHERE text = CURRENT_USER;
        CREATE VIEW b.setting AS SELECT id FROM b.items WHERE text = current_setting('app.tenant', true);
        CREATE VIEW b.counted AS SELECT b.stable();
        CREATE VIEW b.operated AS SELECT id FROM b.items WHERE id OPERATOR(b.###) text = 1;
        CREATE VIEW b.windowed AS SELECT rank() OVER (ORDER BY id), id FROM b.items;
        CREATE VIEW b.cast AS SELECT text::timestamptz FROM b.items;
        CREATE VIEW b.sampled AS SELECT id FROM b.items TABLESAMPLE bernoulli (50);
        CREATE VIEW b.system AS SELECT i.id FROM b.items i JOIN pg_class c ON c.relname = i.text;
        CREATE VIEW b.schema AS SELECT i.id FROM b.items i WHERE EXISTS (SELECT FROM information_schema.tables);
        CREATE VIEW b.constant AS SELECT 1 AS one;
        CREATE VIEW b.union AS WITH x AS (SELECT id FROM a.orders) SELECT id FROM x UNION ALL SELECT id FROM b.orders;
        CREATE VIEW b.instead AS SELECT id FROM b.items;
        CREATE TRIGGER t INSTEAD OF INSERT ON b.instead FOR EACH ROW EXECUTE FUNCTION b.nothing();
        CREATE VIEW b.over_instead AS SELECT * FROM b.instead;
        CREATE MATERIALIZED VIEW b.kept AS SELECT id, now() FROM b.items;
        CREATE VIEW b.over_kept AS SELECT id FROM b.kept;

        CREATE TABLE b.members (name text); CREATE TABLE b.secured (id int, owner text);
        ALTER TABLE b.secured ENABLE ROW LEVEL SECURITY;
        CREATE POLICY p ON b.secured USING (owner = current_user OR owner IN (SELECT name FROM b.members));
        CREATE VIEW b.over_secured AS SELECT id FROM b.secured;
        CREATE TABLE b.expiring (id int, until timestamptz); ALTER TABLE b.expiring ENABLE ROW LEVEL SECURITY;
        CREATE POLICY p ON b.expiring USING (until > now());
        CREATE TABLE b.unused_policy (id int, until timestamptz);
        CREATE POLICY p ON b.unused_policy USING (until > now());

        CREATE EXTENSION postgres_fdw; CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw;
        CREATE FOREIGN TABLE b.distant (id int) SERVER elsewhere;
        CREATE TABLE b.mixed (id int) PARTITION BY LIST (id);
        CREATE FOREIGN TABLE b.mixed_1 PARTITION OF b.mixed FOR VALUES IN (1) SERVER elsewhere;
        CREATE VIEW b.over_distant AS SELECT id FROM b.distant;

        CREATE ROLE reader LOGIN; GRANT USAGE ON SCHEMA a, b TO reader;
        """";

    private const string Rows =
        """
        INSERT INTO b.root VALUES (1); INSERT INTO b.cascaded VALUES (1, 1); INSERT INTO b.deep VALUES (1, 1); INSERT INTO b.nulled VALUES (1, 1);
        INSERT INTO b.defaulted VALUES (1, 1); INSERT INTO b.renamed VALUES (1, 1); INSERT INTO b.tree VALUES (1, NULL), (2, 1);
        INSERT INTO b.ring_1 VALUES (1, NULL); INSERT INTO b.ring_2 VALUES (1, 1); INSERT INTO b.measures VALUES (1, 1); INSERT INTO b.notes VALUES (1, 1);
        INSERT INTO b.parent VALUES (1); INSERT INTO b.child VALUES (1); INSERT INTO b.both VALUES (1);

        """;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("a, b", "orders", "a.orders")]
    [InlineData("b, a", "orders", "b.orders")]
    [InlineData("a", "items", null)]
    [InlineData("missing, b", "items", "b.items")]
    [InlineData("\"odd.name\"", "CamelCase", "odd%002Ename.CamelCase")]
    [InlineData("\"odd.name\"", "camelcase", null)]
    [InlineData("\"odd.name\"", "größe 1 \"x\"", "odd%002Ename.gr%00F6%00DFe%00201%0020%0022x%0022")]
    [InlineData("public", "pg_mine", null)]
    [InlineData("pg_catalog, a", "pg_class", null)]
    [InlineData("pg_catalog, a", "orders", "a.orders")]
    [InlineData("information_schema, a", "orders", null)]
    public async Task Finds_names_by_the_search_path(string path, string name, string? expected)
    {
        var catalog = await ReadAsync(path);

        Assert.Equal(expected, catalog.Resolve(new TableName(null, name))?.Key);
    }

    [Fact]
    public async Task A_schema_that_the_role_may_not_use_is_not_searched()
    {
        Assert.Equal("hidden.orders", (await ReadAsync("hidden, a")).Resolve(new TableName(null, "orders"))?.Key);
        Assert.Equal("a.orders", (await ReadAsync("hidden, a", "reader")).Resolve(new TableName(null, "orders"))?.Key);
    }

    [Fact]
    public async Task Temporary_tables_are_unknown()
    {
        await using var connection = await database.OpenAsync("a, b");
        await using (var command = new NpgsqlCommand("CREATE TEMP TABLE passing (id int)", connection))
        {
            await command.ExecuteNonQueryAsync(Ct);
        }

        var catalog = await TableCatalogReader.ReadAsync(connection, Ct);

        Assert.Null(catalog.Resolve(new TableName(null, "passing")));
        Assert.Equal(CacheObstacle.UnknownTable, catalog.ReadSet([new TableName(null, "passing")]).Obstacle?.Obstacle);
    }

    [Theory]
    [InlineData("a.orders", "a.orders")]
    [InlineData("b.unlogged", "b.unlogged")]
    [InlineData("b.measures", "b.measures")]
    [InlineData("b.simple", "b.items")]
    [InlineData("b.joined", "a.orders b.items b.parent")]
    [InlineData("b.partitioned", "b.measures")]
    [InlineData("b.grouped", "b.items")]
    [InlineData("b.windowed", "b.items")]
    [InlineData("b.union", "a.orders b.orders")]
    [InlineData("b.constant", "")]
    [InlineData("b.kept", "b.kept")]
    [InlineData("b.over_kept", "b.kept")]
    [InlineData("b.instead", "b.items")]
    [InlineData("b.unused_policy", "b.unused_policy")]
    [InlineData("b.secured", "b.members b.secured", true)]
    [InlineData("b.over_secured", "b.members b.secured", true)]
    public async Task Follows_views_to_their_tables(string name, string expected, bool hasRowSecurity = false)
    {
        var set = (await ReadAsync("a, b")).ReadSet([Name(name)]);

        Assert.Null(set.Obstacle);
        Assert.Equal(expected, string.Join(' ', set.Tables));
        Assert.Equal(hasRowSecurity, set.HasRowSecurity);
    }

    [Theory]
    [InlineData("b.now", nameof(CacheObstacle.VolatileFunction))]
    [InlineData("b.over_now", nameof(CacheObstacle.VolatileFunction))]
    [InlineData("b.today", nameof(CacheObstacle.VolatileFunction))]
    [InlineData("b.random", nameof(CacheObstacle.VolatileFunction))]
    [InlineData("b.aged", nameof(CacheObstacle.VolatileFunction))]
    [InlineData("b.expiring", nameof(CacheObstacle.VolatileFunction))]
    [InlineData("b.mine", nameof(CacheObstacle.SessionState))]
    [InlineData("b.setting", nameof(CacheObstacle.SessionState))]
    [InlineData("b.counted", nameof(CacheObstacle.UnknownFunction))]
    [InlineData("b.operated", nameof(CacheObstacle.UnknownFunction))]
    [InlineData("b.cast", nameof(CacheObstacle.UnknownFunction))]
    [InlineData("b.sampled", nameof(CacheObstacle.UnknownFunction))]
    [InlineData("b.system", nameof(CacheObstacle.SystemCatalog))]
    [InlineData("b.schema", nameof(CacheObstacle.SystemCatalog))]
    [InlineData("b.distant", nameof(CacheObstacle.ForeignTable))]
    [InlineData("b.mixed", nameof(CacheObstacle.ForeignTable))]
    [InlineData("b.over_distant", nameof(CacheObstacle.ForeignTable))]
    [InlineData("b.numbers", nameof(CacheObstacle.UnknownTable))]
    [InlineData("b.missing", nameof(CacheObstacle.UnknownTable))]
    [InlineData("pg_catalog.pg_class", nameof(CacheObstacle.UnknownTable))]
    public async Task Refuses_what_changes_without_a_write(string name, string expected) =>
        Assert.Equal(expected, (await ReadAsync("a, b")).ReadSet([Name(name)]).Obstacle?.Obstacle.ToString());

    [Theory]
    [InlineData("a.orders", nameof(WriteKind.Delete), "a.orders")]
    [InlineData("b.measures", nameof(WriteKind.Insert), "b.measures b.measures_1 b.measures_1_a b.measures_1_b b.measures_2")]
    [InlineData("b.measures", nameof(WriteKind.Delete), "b.measures b.measures_1 b.measures_1_a b.measures_1_b b.measures_2 b.notes")]
    [InlineData("b.measures_1_a", nameof(WriteKind.Insert), "b.measures b.measures_1 b.measures_1_a")]
    [InlineData("b.measures_1_a", nameof(WriteKind.Delete), "b.measures b.measures_1 b.measures_1_a b.notes")]
    [InlineData("b.parent", nameof(WriteKind.Update), "b.both b.child b.other b.parent")]
    [InlineData("b.child", nameof(WriteKind.Insert), "b.child b.parent")]
    [InlineData("b.root", nameof(WriteKind.Delete), "b.cascaded b.deep b.defaulted b.followed b.nulled b.root")]
    [InlineData("b.root", nameof(WriteKind.Update), "b.renamed b.root")]
    [InlineData("b.root", nameof(WriteKind.Insert), "b.root")]
    [InlineData("b.tree", nameof(WriteKind.Delete), "b.tree")]
    [InlineData("b.ring_1", nameof(WriteKind.Delete), "b.ring_1 b.ring_2")]
    [InlineData("b.simple", nameof(WriteKind.Insert), "b.items")]
    [InlineData("b.partitioned", nameof(WriteKind.Insert), "b.measures b.measures_1 b.measures_1_a b.measures_1_b b.measures_2")]
    [InlineData("b.ruled", nameof(WriteKind.Insert), null)]
    [InlineData("b.instead", nameof(WriteKind.Insert), null)]
    [InlineData("b.over_instead", nameof(WriteKind.Insert), null)]
    [InlineData("b.distant", nameof(WriteKind.Insert), null)]
    [InlineData("b.mixed", nameof(WriteKind.Insert), null)]
    [InlineData("b.missing", nameof(WriteKind.Insert), null)]
    public async Task Follows_a_write_to_all_tables_that_it_may_change(string name, string kind, string? expected) =>
        Assert.Equal(expected, (await ReadAsync("a, b")).WriteSet(Name(name), Enum.Parse<WriteKind>(kind)) is { } tables ? string.Join(' ', tables) : null);

    [Theory]
    [InlineData("DELETE FROM b.root", "b.root", nameof(WriteKind.Delete), "b.cascaded b.deep b.defaulted b.nulled b.root", "DELETE FROM b.renamed")]
    [InlineData("UPDATE b.root SET id = 2", "b.root", nameof(WriteKind.Update), "b.renamed b.root", "DELETE FROM b.cascaded; DELETE FROM b.nulled; DELETE FROM b.defaulted")]
    [InlineData("UPDATE b.nulled SET root = 2", "b.nulled", nameof(WriteKind.Update), "b.followed b.nulled", "INSERT INTO b.root VALUES (2); INSERT INTO b.followed VALUES (1, 1)")]
    [InlineData("DELETE FROM b.tree WHERE parent IS NULL", "b.tree", nameof(WriteKind.Delete), "b.tree", "")]
    [InlineData("DELETE FROM b.ring_1", "b.ring_1", nameof(WriteKind.Delete), "b.ring_1 b.ring_2", "")]
    [InlineData("INSERT INTO b.measures VALUES (9, 2)", "b.measures", nameof(WriteKind.Insert), "b.measures b.measures_1 b.measures_1_b", "")]
    [InlineData("INSERT INTO b.measures_1_a VALUES (9, 1)", "b.measures_1_a", nameof(WriteKind.Insert), "b.measures b.measures_1 b.measures_1_a", "")]
    [InlineData("DELETE FROM b.measures_1_a", "b.measures_1_a", nameof(WriteKind.Delete), "b.measures b.measures_1 b.measures_1_a b.notes", "")]
    [InlineData("UPDATE b.measures SET region = 3", "b.measures", nameof(WriteKind.Update), "b.measures b.measures_1 b.measures_1_a b.measures_2", "DELETE FROM b.notes")]
    [InlineData("UPDATE b.parent SET id = 7", "b.parent", nameof(WriteKind.Update), "b.both b.child b.other b.parent", "")]
    [InlineData("INSERT INTO b.both VALUES (7)", "b.both", nameof(WriteKind.Insert), "b.both b.other b.parent", "")]
    [InlineData("INSERT INTO b.simple VALUES (7)", "b.simple", nameof(WriteKind.Insert), "b.items", "")]
    public async Task No_table_changes_that_is_not_foreseen(string write, string table, string kind, string changed, string prepare)
    {
        await using var connection = await database.OpenAsync("a, b");
        var catalog = await TableCatalogReader.ReadAsync(connection, Ct);
        await using var transaction = await connection.BeginTransactionAsync(Ct);
        await using var command = new NpgsqlCommand(Rows + prepare, connection);
        await command.ExecuteNonQueryAsync(Ct);

        var before = await ContentsAsync(connection);
        command.CommandText = write;
        await command.ExecuteNonQueryAsync(Ct);
        var after = await ContentsAsync(connection);

        var actual = before.Keys.Where(name => before[name] != after[name]).Order(StringComparer.Ordinal).ToList();
        Assert.Equal(changed, string.Join(' ', actual));
        Assert.Subset(catalog.WriteSet(Name(table), Enum.Parse<WriteKind>(kind))!.Select(t => t.Key).ToHashSet(), actual.ToHashSet());
    }

    [Theory]
    [InlineData("b.triggered", true)]
    [InlineData("b.quiet", false)]
    [InlineData("b.instead", true)]
    [InlineData("b.root", false)]
    public async Task Tells_where_triggers_may_write_unseen(string name, bool expected) =>
        Assert.Equal(expected, (await ReadAsync("a, b")).TablesWithTriggers.Any(t => t.Key == name));

    [Fact]
    public async Task Read_without_tasks_the_catalog_is_the_same()
    {
        await using var connection = await database.OpenAsync("a, b");
        var catalog = TableCatalogReader.Read(connection);

        Assert.Equal("a.orders", catalog.Resolve(new TableName(null, "orders"))?.Key);
        Assert.Equal(["b.items"], catalog.ReadSet([Name("b.simple")]).Tables.Select(t => t.Key));
    }

    [Fact]
    public async Task A_role_without_rights_on_tables_reads_the_same_catalog()
    {
        var catalog = await ReadAsync("a, b", "reader");

        Assert.Equal(["a.orders", "b.items", "b.parent"], catalog.ReadSet([Name("b.joined")]).Tables.Select(t => t.Key));
        Assert.Equal(CacheObstacle.VolatileFunction, catalog.ReadSet([Name("b.now")]).Obstacle?.Obstacle);
        Assert.True(catalog.ReadSet([Name("b.secured")]).HasRowSecurity);
    }

    private static async Task<Dictionary<string, string>> ContentsAsync(NpgsqlConnection connection)
    {
        await using var names = new NpgsqlCommand(
            "SELECT 'b.' || c.relname FROM pg_class c WHERE c.relnamespace = 'b'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname <> 'mixed'", connection);
        var tables = new List<string>();
        await using (var reader = await names.ExecuteReaderAsync(Ct))
        {
            while (await reader.ReadAsync(Ct))
            {
                tables.Add(reader.GetString(0));
            }
        }

        var contents = new Dictionary<string, string>();
        foreach (var table in tables)
        {
            await using var command = new NpgsqlCommand($"SELECT coalesce(string_agg(t::text, ' ' ORDER BY t::text), '') FROM {table} AS t", connection);
            contents.Add(table, (string)(await command.ExecuteScalarAsync(Ct))!);
        }

        return contents;
    }

    private async Task<TableCatalog> ReadAsync(string path, string? role = null)
    {
        await using var connection = await database.OpenAsync(path, role);
        return await TableCatalogReader.ReadAsync(connection, Ct);
    }

    private static TableName Name(string name) => name.Split('.') is [var schema, var table] ? new TableName(schema, table) : throw new ArgumentException($"'{name}' has no schema.", nameof(name));

    /// <summary>A server of its own: the schema has objects of every kind.</summary>
    public sealed class Database : IAsyncLifetime
    {
        private PostgresCluster? _cluster;

        public async ValueTask InitializeAsync()
        {
            _cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 0 });
            await _cluster.Primary.ExecuteAsync(Schema);
        }

        public async ValueTask DisposeAsync()
        {
            if (_cluster is not null)
            {
                await _cluster.DisposeAsync();
            }
        }

        /// <summary>Opens a connection with a search path and, if named, as another role.</summary>
        public async Task<NpgsqlConnection> OpenAsync(string path, string? role = null)
        {
            var settings = new NpgsqlConnectionStringBuilder(_cluster!.Primary.ConnectionString) { SearchPath = path, Pooling = false };
            var connection = new NpgsqlConnection(settings.ConnectionString);
            await connection.OpenAsync();
            if (role is not null)
            {
                await using var command = new NpgsqlCommand($"SET ROLE {role}", connection);
                await command.ExecuteNonQueryAsync();
            }

            return connection;
        }
    }
}
