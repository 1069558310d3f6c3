using System.Collections;
using System.Data.Common;
using System.Text.Json;
using EfScaling.Caching.Rows;
using NpgsqlTypes;

namespace EfScaling.Tests.Caching.Rows;

public sealed class RowSetReaderTests
{
    private static readonly RowSchema _schema = Recorded.Schema(new("Id", typeof(int), "integer"), new("Name", typeof(string), "text"), new("At", typeof(DateTime), "timestamp"));

    [Fact]
    public async Task Null_is_read_as_Npgsql_reads_it()
    {
        await using var reader = First([null, null, null]);

        Assert.True(reader.IsDBNull(0));
        Assert.True(await reader.IsDBNullAsync(1));
        Assert.Equal(DBNull.Value, reader.GetValue(0));
        Assert.Equal(DBNull.Value, reader.GetFieldValue<object>(1));
        Assert.Null(reader.GetFieldValue<int?>(0));
        Assert.Equal("Column 'Id' is null.", Assert.Throws<InvalidCastException>(() => reader.GetInt32(0)).Message);
        Assert.Equal("Column 'Name' is null.", Assert.Throws<InvalidCastException>(() => reader.GetString(1)).Message);
        Assert.Equal("Column 'Name' is null.", Assert.Throws<InvalidCastException>(() => reader.GetFieldValue<string>(1)).Message);
        Assert.Throws<InvalidCastException>(() => reader.GetDateTime(2));
    }

    [Fact]
    public async Task Value_is_read_as_its_type_and_as_no_other()
    {
        await using var reader = First([7, "x", DateTime.UnixEpoch]);

        Assert.Equal(7, reader.GetInt32(0));
        Assert.Equal(7, reader.GetFieldValue<int?>(0));
        Assert.Equal(7, reader.GetFieldValue<object>(0));
        Assert.Equal(7, await reader.GetFieldValueAsync<int>(0));
        Assert.Equal("x", reader.GetString(1));
        Assert.Equal("x", reader["Name"]);
        Assert.Equal("x", await reader.GetTextReader(1).ReadToEndAsync());
        Assert.Equal(DateTime.UnixEpoch, reader.GetDateTime(2));
        Assert.Throws<InvalidCastException>(() => reader.GetInt64(0));
        Assert.Throws<InvalidCastException>(() => reader.GetString(0));
        Assert.Throws<InvalidCastException>(() => reader.GetFieldValue<string>(0));
        Assert.Throws<InvalidCastException>(() => reader.GetFieldValue<long?>(0));
        Assert.Throws<IndexOutOfRangeException>(() => reader.GetInt32(3));
        Assert.Throws<IndexOutOfRangeException>(() => reader.GetOrdinal("Missing"));
    }

    [Fact]
    public void Reader_describes_the_result()
    {
        using var reader = First([1, "a", DateTime.MinValue]);

        Assert.Equal((3, true, -1, 0), (reader.FieldCount, reader.HasRows, reader.RecordsAffected, reader.Depth));
        Assert.Equal("text", reader.GetDataTypeName(1));
        Assert.Equal(typeof(DateTime), reader.GetFieldType(2));
        Assert.Equal("Id", reader.GetName(0));
        Assert.Equal(3, reader.GetValues(new object[5]));
        Assert.Throws<NotSupportedException>(() => reader.GetSchemaTable());
    }

    [Fact]
    public void Outside_of_the_rows_nothing_is_read()
    {
        using var reader = new RowSetReader(Recorded.Of(_schema, [1, "a", DateTime.MinValue]));

        Assert.Throws<InvalidOperationException>(() => reader.GetInt32(0));
        Assert.True(reader.Read());
        Assert.Equal(1, reader.GetInt32(0));
        Assert.False(reader.Read());
        Assert.False(reader.Read());
        Assert.Throws<InvalidOperationException>(() => reader.IsDBNull(0));
        Assert.False(reader.NextResult());
        Assert.Equal(0, reader.FieldCount);
        reader.Dispose();
        Assert.True(reader.IsClosed);
        Assert.Throws<InvalidOperationException>(() => reader.Read());
    }

    [Fact]
    public async Task Cancelled_read_is_cancelled()
    {
        await using var reader = new RowSetReader(Recorded.Of(_schema, [1, "a", DateTime.MinValue]));

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reader.ReadAsync(new CancellationToken(true)));
        Assert.True(await reader.ReadAsync());
    }

    [Fact]
    public void Many_readers_share_rows()
    {
        var rows = Recorded.Of(_schema, [.. Enumerable.Range(0, 100).Select(i => new object?[] { i, $"{i}", DateTime.MinValue })]);

        Parallel.For(0, 50, _ =>
        {
            using var reader = new RowSetReader(rows);
            for (var i = 0; reader.Read(); i++)
            {
                Assert.Equal((i, $"{i}"), (reader.GetInt32(0), reader.GetString(1)));
            }
        });
    }

    [Fact]
    public void Value_that_was_changed_by_one_caller_is_unchanged_for_the_next()
    {
        Unchanged(new byte[] { 1, 2 }, v => v[0] = 9);
        Unchanged(new[] { 1, 2 }, v => v[0] = 9);
        Unchanged(new int?[] { 1, null }, v => v[1] = 9);
        Unchanged(new[] { "a" }, v => v[0] = "b");
        Unchanged(new byte[][] { [1] }, v => v[0][0] = 9);
        Unchanged(new List<int> { 1 }, v => v.Add(2));
        Unchanged(new BitArray(3), v => v.SetAll(true));
        Unchanged(new Dictionary<string, string?> { ["a"] = "b" }, v => v.Clear());
        Unchanged(new NpgsqlPolygon([new NpgsqlPoint(1, 2)]), v => v.Add(default));
        Unchanged(new NpgsqlPath([new NpgsqlPoint(1, 2)], true), v => v[0] = default);
        Unchanged<NpgsqlTsQuery>(new NpgsqlTsQueryNot(new NpgsqlTsQueryLexeme("a")), v => ((NpgsqlTsQueryLexeme)((NpgsqlTsQueryNot)v).Child).Text = "b");
        Unchanged(System.Net.IPAddress.Parse("fe80::1"), v => v.ScopeId = 5);
        Unchanged(JsonDocument.Parse("[1]"), v => v.Dispose());
        Unchanged<Stream>(new MemoryStream([1, 2]), v => v.Dispose());
        Unchanged(new[] { JsonDocument.Parse("[1]") }, v => v[0].Dispose());

        static void Unchanged<T>(T value, Action<T> change)
            where T : notnull
        {
            var expected = RenderedValue.Of(value);
            if (value is Stream stream)
            {
                stream.Position = 0;
            }

            foreach (var rows in new[] { Recorded.Column(Recorded.Schema<T>(), value), Recorded.Decoded(Recorded.Column(Recorded.Schema<T>(), value)) })
            {
                using var reader = new RowSetReader(rows);
                Assert.True(reader.Read());
                change(reader.GetFieldValue<T>(0));
                change((T)reader.GetValue(0));
                Assert.Equal(expected, RenderedValue.Of(reader.GetFieldValue<T>(0)));
                Assert.Equal(expected, Recorded.Rendered(Recorded.Decoded(rows))[0][0]);
            }
        }
    }

    [Fact]
    public void Replay_of_values_allocates_nothing()
    {
        using var reader = new RowSetReader(Recorded.Of(_schema, [.. Enumerable.Range(0, 1000).Select(i => new object?[] { i, "a", DateTime.MinValue })]));
        reader.Read();
        Sum(reader, 500);

        var before = GC.GetAllocatedBytesForCurrentThread();
        Sum(reader, 400);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        static long Sum(DbDataReader reader, int rows)
        {
            var sum = 0L;
            for (var i = 0; i < rows && reader.ReadAsync().IsCompletedSuccessfully; i++)
            {
                sum += reader.GetInt32(0) + reader.GetString(1).Length + reader.GetDateTime(2).Ticks + (reader.IsDBNull(0) ? 1 : 0);
            }

            return sum;
        }
    }

    private static RowSetReader First(object?[] row)
    {
        var reader = new RowSetReader(Recorded.Of(_schema, row));
        Assert.True(reader.Read());
        return reader;
    }
}
