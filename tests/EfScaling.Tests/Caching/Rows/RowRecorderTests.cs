using EfScaling.Caching.Rows;

namespace EfScaling.Tests.Caching.Rows;

public sealed class RowRecorderTests
{
    private static readonly RowSchema _schema = Recorded.Schema(new("Id", typeof(int), "integer"), new("Name", typeof(string), "text"));

    [Theory]
    [InlineData(2, long.MaxValue)]
    [InlineData(int.MaxValue, 200)]
    public void A_result_over_a_limit_is_dropped(int maxRows, long maxBytes)
    {
        var recorder = new RowRecorder(_schema, new RowLimits(maxRows, maxBytes));

        Assert.True(Add(recorder, new ScriptedReader(Rows(50))) < 50);
        Assert.True(recorder.IsOverLimit);
        Assert.Null(recorder.Complete());
    }

    [Fact]
    public void A_result_at_the_limit_is_kept()
    {
        var recorder = new RowRecorder(_schema, new RowLimits(2, long.MaxValue));

        Assert.Equal(2, Add(recorder, new ScriptedReader(Rows(2))));
        Assert.Equal([["Int32:0", "string:row 0"], ["Int32:1", "string:row 1"]], Recorded.Rendered(recorder.Complete()!));
    }

    [Fact]
    public void A_value_that_means_something_else_elsewhere_is_not_kept()
    {
        var recorder = new RowRecorder(Recorded.Schema<DateTime>(), Recorded.NoLimits);

        Add(recorder, new ScriptedReader([[new DateTime(1, DateTimeKind.Local)]]));
        Assert.Null(recorder.Complete());
    }

    [Fact]
    public void A_result_with_other_columns_is_refused()
    {
        var recorder = new RowRecorder(_schema, Recorded.NoLimits);

        Assert.Throws<InvalidCastException>(() => Add(recorder, new ScriptedReader([[1]])));
    }

    [Fact]
    public void Columns_of_raw_SQL_are_found_by_name()
    {
        var schema = RowSchema.TryCreate([new("Id", typeof(int), "integer"), new("Name", typeof(string), "text")], out _, isByName: true)!;
        var recorder = new RowRecorder(schema, Recorded.NoLimits);

        Add(recorder, new ScriptedReader([["x", "a", 1], ["y", null, 2]], ["other", "name", "Id"]));

        var rows = recorder.Complete()!;
        Assert.Equal([["Int32:1", "string:a"], ["Int32:2", "NULL"]], Recorded.Rendered(rows));
        using var replay = new RowSetReader(rows);
        Assert.Equal(["Id", "Name"], [replay.GetName(0), replay.GetName(1)]);
        Assert.Equal(1, replay.GetOrdinal("name"));
    }

    private static object?[][] Rows(int count) => [.. Enumerable.Range(0, count).Select(i => new object?[] { i, $"row {i}" })];

    private static int Add(RowRecorder recorder, ScriptedReader reader)
    {
        var count = 0;
        while (reader.Read() && recorder.Add(reader))
        {
            count++;
        }

        return count;
    }
}
