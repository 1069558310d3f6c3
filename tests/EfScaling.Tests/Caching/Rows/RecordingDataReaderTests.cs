using EfScaling.Caching.Rows;

namespace EfScaling.Tests.Caching.Rows;

public sealed class RecordingDataReaderTests
{
    private static readonly RowSchema _schema = Recorded.Schema(new("Id", typeof(int), "integer"), new("Name", typeof(string), "text"));

    private readonly List<(RowSet? Rows, RecordingEnd End)> _ends = [];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Rows_that_were_read_to_the_end_are_recorded(bool isSlow)
    {
        var inner = new ScriptedReader(Rows(3)) { IsSlow = isSlow };
        await using var reader = Recording(inner, readOn: 0);

        while (await reader.ReadAsync())
        {
            // The recorder reads every column itself; the caller need not.
            Assert.Equal(inner.RowsRead, reader.GetInt32(0));
        }

        var (rows, end) = Assert.Single(_ends);
        Assert.Equal(RecordingEnd.Complete, end);
        Assert.Equal(Expected(3), Recorded.Rendered(rows!));
    }

    [Fact]
    public void Result_without_rows_is_recorded()
    {
        using var reader = Recording(new ScriptedReader([], ["Id", "Name"]));

        Assert.False(reader.Read());
        Assert.Equal(0, Assert.Single(_ends).Rows!.RowCount);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    public void Reader_that_is_closed_early_reads_what_is_left(int read)
    {
        var inner = new ScriptedReader(Rows(3));
        using (var reader = Recording(inner, readOn: 3))
        {
            for (var i = 0; i < read; i++)
            {
                Assert.True(reader.Read());
            }
        }

        Assert.Equal(Expected(3), Recorded.Rendered(Assert.Single(_ends).Rows!));
        Assert.Equal(1, inner.Disposals);
    }

    [Fact]
    public async Task Reader_that_is_closed_early_without_blocking_reads_on_without_blocking()
    {
        var inner = new ScriptedReader(Rows(3)) { IsSlow = true };
        await using (var reader = Recording(inner, readOn: 3))
        {
            Assert.True(await reader.ReadAsync());
            await reader.CloseAsync();
        }

        Assert.Equal(RecordingEnd.Complete, Assert.Single(_ends).End);
        Assert.Equal(0, inner.SynchronousReads);
    }

    [Fact]
    public void Reader_that_is_closed_early_leaves_a_long_result_alone()
    {
        var inner = new ScriptedReader(Rows(100));
        using (var reader = Recording(inner, readOn: 5))
        {
            Assert.True(reader.Read());
        }

        Assert.Equal((null, RecordingEnd.Abandoned), Assert.Single(_ends));
        Assert.InRange(inner.RowsRead, 5, 6);
    }

    [Fact]
    public async Task Disposed_reader_of_the_database_is_not_touched_again()
    {
        var inner = new ScriptedReader(Rows(1));
        var reader = Recording(inner);
        await reader.DisposeAsync();
        await reader.DisposeAsync();
        await reader.CloseAsync();
        reader.Dispose();
        reader.Close();

        Assert.True(reader.IsClosed);
        Assert.Equal((1, 0), (inner.Disposals, inner.CallsAfterDisposal));
        Assert.Single(_ends);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Failure_of_the_database_is_the_callers_and_ends_the_recording(bool isSlow)
    {
        await using (var reader = Recording(new ScriptedReader(Rows(3)) { FailsAtRow = 2, IsSlow = isSlow }))
        {
            Assert.True(await reader.ReadAsync());
            Assert.True(await reader.ReadAsync());
            await Assert.ThrowsAsync<TimeoutException>(() => reader.ReadAsync());
        }

        Assert.Equal((null, RecordingEnd.Failed), Assert.Single(_ends));
    }

    [Fact]
    public void Failure_while_reading_on_does_not_reach_the_caller()
    {
        using (var reader = Recording(new ScriptedReader(Rows(3)) { FailsAtRow = 1 }))
        {
            Assert.True(reader.Read());
        }

        Assert.Equal((null, RecordingEnd.Failed), Assert.Single(_ends));
    }

    [Fact]
    public void Value_of_an_unexpected_type_ends_the_recording_alone()
    {
        using var reader = Recording(new ScriptedReader([[1, "a"], [2L, "b"], [3, "c"]]));

        Assert.True(reader.Read());
        Assert.True(reader.Read());
        Assert.Equal((null, RecordingEnd.Unreadable), Assert.Single(_ends));
        Assert.Equal(2L, reader.GetInt64(0));
        Assert.True(reader.Read());
        Assert.False(reader.Read());
    }

    [Fact]
    public void Result_with_other_columns_is_not_recorded()
    {
        using var reader = Recording(new ScriptedReader([[1, "a", "extra"]]));

        Assert.True(reader.Read());
        Assert.Equal((null, RecordingEnd.Unreadable), Assert.Single(_ends));
    }

    [Fact]
    public void Value_that_means_something_else_elsewhere_is_not_recorded()
    {
        using var reader = new RecordingDataReader(
            new ScriptedReader([[new DateTime(1, DateTimeKind.Local)]]), Recorded.Schema<DateTime>(), Recorded.NoLimits, 0, Ended);

        Assert.True(reader.Read());
        Assert.False(reader.Read());
        Assert.Equal((null, RecordingEnd.Unreadable), Assert.Single(_ends));
    }

    [Theory]
    [InlineData(2, long.MaxValue)]
    [InlineData(int.MaxValue, 200)]
    public void Result_over_a_limit_is_streamed_and_not_recorded(int maxRows, long maxBytes)
    {
        using var reader = new RecordingDataReader(new ScriptedReader(Rows(50)), _schema, new RowLimits(maxRows, maxBytes), 0, Ended);

        var count = 0;
        while (reader.Read())
        {
            count++;
        }

        Assert.Equal(50, count);
        Assert.Equal((null, RecordingEnd.TooLarge), Assert.Single(_ends));
    }

    [Fact]
    public void Result_at_the_limit_is_recorded()
    {
        using var reader = new RecordingDataReader(new ScriptedReader(Rows(2)), _schema, new RowLimits(2, long.MaxValue), 0, Ended);

        while (reader.Read())
        {
        }

        Assert.Equal(RecordingEnd.Complete, Assert.Single(_ends).End);
    }

    [Fact]
    public void Failure_of_whoever_gets_the_rows_does_not_reach_the_caller()
    {
        using var reader = new RecordingDataReader(
            new ScriptedReader(Rows(1)), _schema, Recorded.NoLimits, 0, (_, _) => throw new InvalidOperationException("no store"));

        Assert.True(reader.Read());
        Assert.False(reader.Read());
    }

    [Fact]
    public void Columns_of_raw_SQL_are_found_by_name()
    {
        var schema = RowSchema.TryCreate([new("Id", typeof(int), "integer"), new("Name", typeof(string), "text")], out _, isByName: true)!;
        using var reader = new RecordingDataReader(
            new ScriptedReader([["x", "a", 1], ["y", null, 2]], ["other", "name", "Id"]), schema, Recorded.NoLimits, 0, Ended);
        while (reader.Read())
        {
        }

        var rows = Assert.Single(_ends).Rows!;
        Assert.Equal([["Int32:1", "string:a"], ["Int32:2", "NULL"]], Recorded.Rendered(rows));
        using var replay = new RowSetReader(rows);
        Assert.Equal(["Id", "Name"], [replay.GetName(0), replay.GetName(1)]);
        Assert.Equal(1, replay.GetOrdinal("name"));
    }

    private static object?[][] Rows(int count) => [.. Enumerable.Range(0, count).Select(i => new object?[] { i, $"row {i}" })];

    private static string[][] Expected(int count) => [.. Enumerable.Range(0, count).Select(i => new[] { $"Int32:{i}", $"string:row {i}" })];

    private RecordingDataReader Recording(ScriptedReader inner, int readOn = 10) => new(inner, _schema, Recorded.NoLimits, readOn, Ended);

    private void Ended(RowSet? rows, RecordingEnd end) => _ends.Add((rows, end));
}
