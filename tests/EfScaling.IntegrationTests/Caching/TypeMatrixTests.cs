using System.Collections;
using System.Data.Common;
using System.Net;
using System.Numerics;
using System.Reflection;
using System.Text.Json;
using EfScaling.Caching.Rows;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Tests.Caching.Rows;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;
using NpgsqlTypes;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>Of every type that the provider maps, EF reads from recorded rows what it reads from the database.</summary>
public sealed class TypeMatrixTests(ClusterFixture fixture)
{
    // What EF does not map, or not to this type, but applications read by converters and raw SQL; and values that EF cannot write.
    private static readonly (string Sql, Type Type)[] _literals =
    [
        ("interval '1 mon -2 days 3 us'", typeof(NpgsqlInterval)),
        ("'\\x0102'::bytea", typeof(Stream)),
        ("'\\x0102'::bytea", typeof(byte[])),
        ("'NaN'::float8", typeof(double)),
        ("'-0'::float4", typeof(float)),
        ("1.100::numeric", typeof(decimal)),
        ("0.00::numeric", typeof(decimal)),
        ("12345678901234567890123456789012345::numeric", typeof(BigInteger)),
        ("timestamptz 'infinity'", typeof(DateTime)),
        ("timestamptz '-infinity'", typeof(DateTimeOffset)),
        ("date '-infinity'", typeof(DateOnly)),
        ("time '24:00' - interval '1 us'", typeof(TimeOnly)),
        ("'{\"b\":1, \"a\":[]}'::jsonb", typeof(JsonDocument)),
        ("'{\"b\":1,   \"a\":[]}'::json", typeof(JsonElement)),
        ("'{\"b\":1}'::jsonb", typeof(string)),
        ("array['{}', null]::jsonb[]", typeof(JsonDocument[])),
        ("array[1, null]::int[]", typeof(int?[])),
        ("array[1, null]::int[]", typeof(List<int?>)),
        ("array['a', null]::text[]", typeof(string[])),
        ("array['\\x01', null]::bytea[]", typeof(byte[][])),
        ("array[true, null]::bool[]", typeof(bool?[])),
        ("array[inet '10.0.0.1', null]", typeof(IPAddress[])),
        ("B'101'", typeof(BitArray)),
        ("cidr '2001:db8::/32'", typeof(IPNetwork)),
        ("inet '10.1.2.3/8'", typeof(NpgsqlInet)),
        ("macaddr '08:00:2b:01:02:03'", typeof(System.Net.NetworkInformation.PhysicalAddress)),
        ("'empty'::int4range", typeof(NpgsqlRange<int>)),
        ("'(,5)'::int4range", typeof(NpgsqlRange<int>)),
        ("'[0,0]'::numrange", typeof(NpgsqlRange<decimal>)),
        ("'(0,5]'::numrange", typeof(NpgsqlRange<decimal>)),
        ("'[infinity,)'::tstzrange", typeof(NpgsqlRange<DateTime>)),
        ("'{[1,2),[5,)}'::int8multirange", typeof(NpgsqlRange<long>[])),
        ("'{[1,2),[5,)}'::int8multirange", typeof(List<NpgsqlRange<long>>)),
        ("array['[1,2)'::int4range, null]", typeof(NpgsqlRange<int>?[])),
        ("'(0,1)'::tid", typeof(NpgsqlTid)),
        ("'0/0'::pg_lsn", typeof(NpgsqlLogSequenceNumber)),
        ("'[(1,2),(3,4)]'::path", typeof(NpgsqlPath)),
        ("'((1,2),(3,4))'::polygon", typeof(NpgsqlPolygon)),
        ("''::tsvector", typeof(NpgsqlTsVector)),
        ("to_tsvector('english', 'It is the cat''s mat: 3 rats and e-mail a@b.example')", typeof(NpgsqlTsVector)),
        ("setweight(to_tsvector('simple', 'a b c'), 'B')", typeof(NpgsqlTsVector)),
        ("'fat:*AB & (cat <3> dog | !rat)'::tsquery", typeof(NpgsqlTsQuery)),
        ("''::tsquery", typeof(NpgsqlTsQuery)),
        ("'x'::char(3)", typeof(string)),
        ("'x'::\"char\"", typeof(char)),
        ("5::oid", typeof(uint)),
        ("5::int2", typeof(byte)),
        ("count(*)", typeof(long)),
    ];

    [Fact]
    public async Task Literal_values_are_the_same_from_the_database_and_from_rows()
    {
        await using var connection = new NpgsqlConnection(fixture.Cluster.Primary.ConnectionString);
        await connection.OpenAsync();
        foreach (var (sql, type) in _literals)
        {
            var schema = RowSchema.TryCreate([new RowColumn("value", type, "any")], out var obstacle);
            Assert.True(schema is not null, obstacle);
            var read = typeof(DbDataReader).GetMethod(nameof(DbDataReader.GetFieldValue))!.MakeGenericMethod(type);
            await CompareAsync(connection, $"SELECT {sql} AS value", schema, [(sql, read)]);
        }
    }

    [Fact]
    public async Task Every_column_is_the_same_from_the_database_and_from_rows()
    {
        await using var context = await ContextAsync();
        var columns = Columns(context).OrderBy(c => c.Name, StringComparer.Ordinal).ToArray();
        var schema = RowSchema.TryCreate([.. columns.Select(Described)], out var obstacle);
        Assert.True(schema is not null, obstacle);
        await context.Database.OpenConnectionAsync();

        await CompareAsync(
            context.Database.GetDbConnection(),
            $"SELECT {string.Join(", ", columns.Select(c => $"\"{c.Name}\""))} FROM \"Rows\" ORDER BY \"Id\"",
            schema,
            [.. columns.Select(c => (c.Name, c.StoreTypeMapping.GetDataReaderMethod()))]);
    }

    private string ConnectionString => fixture.Cluster.Primary.GetConnectionString("type_matrix");

    private static IEnumerable<IColumn> Columns(TypeMatrixContext context) =>
        context.Model.FindEntityType(typeof(TypeMatrixRow))!.GetTableMappings().Single().Table.Columns;

    private static RowColumn Described(IColumn column) => new(column.Name, column.StoreTypeMapping.GetDataReaderMethod().ReturnType, column.StoreType);

    private static async Task CompareAsync(DbConnection connection, string sql, RowSchema schema, (string Name, MethodInfo Read)[] columns)
    {
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        List<string> expected;
        await using (var reader = await command.ExecuteReaderAsync())
        {
            expected = Render(reader, columns);
            Assert.NotEmpty(expected);
        }

        var recorder = new RowRecorder(schema, new RowLimits(100, 1 << 20));
        await using (var reader = await command.ExecuteReaderAsync())
        {
            while (await reader.ReadAsync())
            {
                Assert.True(recorder.Add(reader), sql);
            }
        }

        var rows = recorder.Complete();
        Assert.True(rows is not null, sql);
        Assert.Equal(expected, Render(new RowSetReader(rows), columns));
        Assert.True(RowFormat.TryDecode(RowFormat.Encode(rows, default), schema, out _, out var decoded), sql);
        Assert.Equal(expected, Render(new RowSetReader(decoded), columns));
    }

    private static List<string> Render(DbDataReader reader, (string Name, MethodInfo Read)[] columns)
    {
        var rendered = new List<string>();
        while (reader.Read())
        {
            for (var i = 0; i < columns.Length; i++)
            {
                rendered.Add($"{columns[i].Name} = {RenderedValue.Of(reader.IsDBNull(i) ? null : columns[i].Read.Invoke(reader, [i]))}");
            }
        }

        return rendered;
    }

    private async Task<TypeMatrixContext> ContextAsync()
    {
        await TypeMatrixContext.CreateAsync(ConnectionString);
        return new TypeMatrixContext(TypeMatrixContext.Options(ConnectionString).Options);
    }
}
