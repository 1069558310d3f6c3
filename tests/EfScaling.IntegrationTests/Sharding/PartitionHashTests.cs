using System.Globalization;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Sharding;
using Npgsql;

namespace EfScaling.IntegrationTests.Sharding;

/// <summary>The hash of keys and the SQL of their bucket against what the server makes of the values it has stored.</summary>
/// <remarks>20,000 values of each type, and 1,000,000 if the variable <c>EFSCALING_NIGHTLY</c> is set.</remarks>
public sealed class PartitionHashTests(ClusterFixture fixture, ITestOutputHelper output)
{
    // The most that a modulus can be as a power of two, so that as many bits as possible are compared.
    private const int Modulus = 1 << 30;
    private const int Batch = 20_000;

    private static readonly int _count = string.IsNullOrEmpty(Environment.GetEnvironmentVariable("EFSCALING_NIGHTLY")) ? Batch : 1_000_000;

    public static TheoryData<string> Types => [.. Enum.GetNames<ShardKeyType>()];

    // Of two columns, in both orders of short and long values, and of as many as a key can have.
    public static TheoryData<string> Composites => ["Int8 Text", "Text Int2", "Uuid Int4", "Bool Date Bytea", "TimestampTz Timestamp Uuid", "Int2 Int4 Int8 Text", "Text Bytea Bool TimestampTz"];

    [Fact]
    public async Task Guids_are_ordered_in_ranges_as_the_server_orders_uuid()
    {
        var keys = Random();
        Guid[] values = [.. keys.Uuid(1_000), .. Enumerable.Range(0, 16).Select(at => Guid.Parse(string.Concat(Enumerable.Range(0, 32).Select(digit => digit == at * 2 ? "8" : "0"))))];
        await using var connection = await OpenAsync();
        await using var command = new NpgsqlCommand("SELECT array_agg(u ORDER BY u) FROM unnest($1) u", connection) { Parameters = { new() { Value = values } } };
        Assert.Equal((Guid[])(await command.ExecuteScalarAsync())!, values.Order(Comparer<Guid>.Create((x, y) => ShardKey.Compare(ShardKey.Of(x), ShardKey.Of(y)))));
    }

    [Theory]
    [MemberData(nameof(Types))]
    public async Task Hash_of_a_column_is_that_of_the_server(string name)
    {
        var type = Enum.Parse<ShardKeyType>(name);
        var keys = Random();
        await using var connection = await OpenAsync();
        await ExecuteAsync(connection, $"CREATE TEMP TABLE hashed (k {Sql(type)}) PARTITION BY HASH (k)");

        // A row of one column hashes as the column, in all 64 bits, by whatever function the type's operator class has.
        var sql = $"SELECT hash_record_extended(ROW(k), {PartitionHash.Seed}), satisfies_hash_partition('hashed'::regclass, {Modulus}, remainder, k) FROM unnest($1, $2) WITH ORDINALITY AS v (k, remainder, n) ORDER BY n";
        var compared = 0;
        foreach (var (values, hashes) in Batches(type, keys))
        {
            await using var command = new NpgsqlCommand(sql, connection) { Parameters = { new() { Value = values }, new() { Value = hashes.Select(h => (int)(PartitionHash.Combine(0, h) % Modulus)).ToArray() } } };
            await using var reader = await command.ExecuteReaderAsync();
            for (var at = 0; await reader.ReadAsync(); at++)
            {
                Assert.True(hashes[at] == (ulong)reader.GetInt64(0), $"{name}: hash of '{values.GetValue(at)}' is {(ulong)reader.GetInt64(0)}, not {hashes[at]}");
                Assert.True(reader.GetBoolean(1), $"{name}: remainder of '{values.GetValue(at)}'");
                compared++;
            }
        }

        Assert.True(compared >= _count);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{compared} values of {name} compared"));
    }

    [Theory]
    [MemberData(nameof(Types))]
    public async Task Key_hashes_as_its_stored_value_and_its_bucket_in_SQL_agrees(string name)
    {
        var type = Enum.Parse<ShardKeyType>(name);
        var keys = Random();
        await using var connection = await OpenAsync();
        await CreateAsync(connection, [type]);
        foreach (var (values, _) in Batches(type, keys))
        {
            ShardKey[] made = [.. values.Cast<object>().Select(v => ShardKey.FromValue(v, type))];
            await InsertAsync(connection, [type], made.Length, (row, _) => values.GetValue(row)!, row => made[row].GetPartitionHash());
        }

        await AssertSameAsync(connection, [type]);
    }

    [Theory]
    [MemberData(nameof(Composites))]
    public async Task Key_of_several_columns_hashes_as_the_row_and_its_bucket_in_SQL_agrees(string names)
    {
        ShardKeyType[] types = [.. names.Split(' ').Select(Enum.Parse<ShardKeyType>)];
        var random = Random();
        await using var connection = await OpenAsync();
        await CreateAsync(connection, types);
        for (var done = 0; done < _count; done += Batch)
        {
            ShardKey[] keys = [.. Enumerable.Range(0, Batch).Select(_ => ShardKey.Composite([.. types.Select(random.Key)]))];
            await InsertAsync(connection, types, keys.Length, (row, column) => keys[row].GetValue(column), row => keys[row].GetPartitionHash());
        }

        await AssertSameAsync(connection, types);
    }

    [Fact]
    public async Task Null_columns_contribute_nothing_and_make_the_bucket_in_SQL_null()
    {
        ShardKeyType[] types = [ShardKeyType.Int8, ShardKeyType.Date, ShardKeyType.Text];
        var random = Random();
        await using var connection = await OpenAsync();
        await CreateAsync(connection, types);
        ShardKey?[][] rows = [.. Enumerable.Range(0, 5_000).Select(_ => types.Select(t => random.Seldom() ? (ShardKey?)null : random.Key(t)).ToArray())];
        await InsertAsync(
            connection,
            types,
            rows.Length,
            (row, column) => rows[row][column]?.GetValue() ?? DBNull.Value,
            row => rows[row].Aggregate(0UL, (hash, column) => PartitionHash.Combine(hash, column is { } key ? HashOf(key) : null)));

        Assert.Equal(0L, await ScalarAsync(connection, $"SELECT count(*) FROM stored WHERE NOT satisfies_hash_partition('hashed'::regclass, {Modulus}, (hash & {Modulus - 1})::int, {Columns(types)})"));
        Assert.Equal(0L, await ScalarAsync(connection, $"SELECT count(*) FROM stored WHERE (({BucketOf(types, 1_024)}) IS NULL) <> (num_nulls({Columns(types)}) > 0)"));
        Assert.True((long)(await ScalarAsync(connection, $"SELECT count(*) FROM stored WHERE num_nulls({Columns(types)}) > 0"))! > 0);
    }

    [Theory]
    [MemberData(nameof(Types))]
    public async Task Bucket_in_SQL_can_be_generated_checked_and_published_by(string name)
    {
        var type = Enum.Parse<ShardKeyType>(name);
        var table = $"sharding_{name.ToLowerInvariant()}";
        await using var connection = await OpenAsync();
        var bucket = BucketOf([type, ShardKeyType.Int8], 1_024);
        await ExecuteAsync(
            connection,
            $"CREATE TABLE {table} (c0 {Sql(type)}, c1 int8, bucket bigint GENERATED ALWAYS AS ({bucket}) STORED, CHECK (({bucket}) = ANY ('{{0,1,2}}')), PRIMARY KEY (c0, c1))");
        try
        {
            await ExecuteAsync(connection, $"CREATE PUBLICATION {table} FOR TABLE {table} WHERE (({bucket}) = 5)");
            await ExecuteAsync(connection, $"DROP PUBLICATION {table}");
        }
        finally
        {
            await ExecuteAsync(connection, $"DROP TABLE {table}");
        }
    }

    private static string Sql(ShardKeyType type) => type == ShardKeyType.Text ? "varchar" : type.SqlName();

    private static string Columns(ShardKeyType[] types) => string.Join(", ", types.Select((_, column) => $"c{column}"));

    private static string BucketOf(ShardKeyType[] types, int buckets) => BucketExpression.Of([.. types.Select((type, column) => ($"c{column}", type))], buckets);

    // The hash of a column alone, without what the row adds to it.
    private static ulong HashOf(ShardKey key) => key.GetPartitionHash() - PartitionHash.CombineConstant;

    // The rows on the server, and a table partitioned by their columns to ask it about them.
    private static async Task CreateAsync(NpgsqlConnection connection, ShardKeyType[] types)
    {
        var columns = string.Join(", ", types.Select((type, column) => $"c{column} {Sql(type)}"));
        await ExecuteAsync(connection, $"CREATE TEMP TABLE hashed ({columns}) PARTITION BY HASH ({Columns(types)}); CREATE TEMP TABLE stored ({columns}, hash int8)");
    }

    private static async Task InsertAsync(NpgsqlConnection connection, ShardKeyType[] types, int rows, Func<int, int, object> value, Func<int, ulong> hash)
    {
        await using var writer = await connection.BeginBinaryImportAsync($"COPY stored ({Columns(types)}, hash) FROM STDIN (FORMAT binary)");
        for (var row = 0; row < rows; row++)
        {
            await writer.StartRowAsync();
            for (var column = 0; column < types.Length; column++)
            {
                await writer.WriteAsync(value(row, column), Sql(types[column]));
            }

            await writer.WriteAsync((long)hash(row));
        }

        await writer.CompleteAsync();
    }

    private static async Task AssertSameAsync(NpgsqlConnection connection, ShardKeyType[] types)
    {
        Assert.True((long)(await ScalarAsync(connection, "SELECT count(*) FROM stored"))! >= _count);
        Assert.Equal(0L, await ScalarAsync(connection, $"SELECT count(*) FROM stored WHERE satisfies_hash_partition('hashed'::regclass, {Modulus}, (hash & {Modulus - 1})::int, {Columns(types)}) IS NOT TRUE"));
        foreach (var buckets in new[] { 1, 2, 1_024, HashShardMap.MaxBucketCount })
        {
            Assert.Equal(0L, await ScalarAsync(connection, $"SELECT count(*) FROM stored WHERE ({BucketOf(types, buckets)}) IS DISTINCT FROM (hash & {buckets - 1})"));
            Assert.Equal(0L, await ScalarAsync(connection, $"SELECT count(*) FROM stored WHERE satisfies_hash_partition('hashed'::regclass, {buckets}, ({BucketOf(types, buckets)})::int, {Columns(types)}) IS NOT TRUE"));
        }
    }

    private static IEnumerable<(Array Values, ulong[] Hashes)> Batches(ShardKeyType type, RandomKeys random) => type switch
    {
        ShardKeyType.Int2 => Batches(random.Int2(_count), PartitionHash.Of),
        ShardKeyType.Int4 => Batches(random.Int4(_count), PartitionHash.Of),
        ShardKeyType.Int8 => Batches(random.Int8(_count), PartitionHash.Of),
        ShardKeyType.Uuid => Batches(random.Uuid(_count), PartitionHash.Of),
        ShardKeyType.Text => Batches(random.Text(_count), v => PartitionHash.Of(v.AsSpan())),
        ShardKeyType.Bytea => Batches(random.Bytea(_count), v => PartitionHash.Of(v.AsSpan())),
        ShardKeyType.Bool => Batches(random.Bool(_count), PartitionHash.Of),
        ShardKeyType.Date => Batches(random.Date(_count), PartitionHash.Of),
        ShardKeyType.Timestamp => Batches(random.Time(DateTimeKind.Unspecified, _count), PartitionHash.Of),
        _ => Batches(random.Time(DateTimeKind.Utc, _count), PartitionHash.Of),
    };

    private static IEnumerable<(Array Values, ulong[] Hashes)> Batches<T>(IEnumerable<T> values, Func<T, ulong> hash) =>
        values.Chunk(Batch).Select(batch => ((Array)batch, batch.Select(hash).ToArray()));

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    private static async Task<object?> ScalarAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 300 };
        return await command.ExecuteScalarAsync();
    }

    private RandomKeys Random()
    {
        var seed = System.Random.Shared.Next();
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"seed {seed}"));
        return new RandomKeys(seed);
    }

    private async Task<NpgsqlConnection> OpenAsync()
    {
        var connection = new NpgsqlConnection(fixture.Cluster.Primary.ConnectionString);
        await connection.OpenAsync();
        return connection;
    }
}
