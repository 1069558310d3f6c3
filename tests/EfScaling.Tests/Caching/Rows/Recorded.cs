using EfScaling.Caching.Rows;

namespace EfScaling.Tests.Caching.Rows;

/// <summary>Rows that were recorded from given values.</summary>
internal static class Recorded
{
    public static readonly RowLimits NoLimits = new(int.MaxValue, long.MaxValue);

    public static RowSet Of(RowSchema schema, params object?[][] rows)
    {
        var reader = new ScriptedReader(rows);
        var recorder = new RowRecorder(schema, NoLimits);
        while (reader.Read())
        {
            Assert.True(recorder.Add(reader));
        }

        return Assert.IsType<RowSet>(recorder.Complete());
    }

    public static RowSet Column(RowSchema schema, params object?[] values) => Of(schema, [.. values.Select(v => new[] { v })]);

    public static RowSchema Schema(params RowColumn[] columns) =>
        RowSchema.TryCreate(columns, out var obstacle) ?? throw new InvalidOperationException(obstacle);

    public static RowSchema Schema<T>(string storeType = "text") => Schema(new RowColumn(null, typeof(T), storeType));

    public static RowSet Decoded(RowSet rows)
    {
        var payload = RowFormat.Encode(rows, default);
        Assert.True(RowFormat.TryDecode(payload, rows.Schema, out _, out var decoded));
        return decoded;
    }

    public static string[][] Rendered(RowSet rows)
    {
        using var reader = new RowSetReader(rows);
        var rendered = new List<string[]>();
        while (reader.Read())
        {
            rendered.Add([.. Enumerable.Range(0, reader.FieldCount).Select(i => RenderedValue.Of(reader.GetValue(i)))]);
        }

        return [.. rendered];
    }
}
