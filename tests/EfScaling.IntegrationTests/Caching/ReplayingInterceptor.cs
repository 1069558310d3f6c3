using System.Data.Common;
using EfScaling.Caching.Rows;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>Records the first result of a query and replays it, from a payload, to all that follow.</summary>
/// <param name="schema">Makes the schema of a result.</param>
internal sealed class ReplayingInterceptor(Func<DbDataReader, RowSchema> schema) : DbCommandInterceptor
{
    private RowSet? _rows;

    public RecordingEnd? End { get; private set; }

    public int Replays { get; private set; }

    public override InterceptionResult<DbDataReader> ReaderExecuting(DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result) =>
        _rows is null ? result : Replay();

    public override ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result, CancellationToken cancellationToken = default) =>
        ValueTask.FromResult(ReaderExecuting(command, eventData, result));

    public override DbDataReader ReaderExecuted(DbCommand command, CommandExecutedEventData eventData, DbDataReader result) =>
        result is RowSetReader ? result : Record(result);

    public override ValueTask<DbDataReader> ReaderExecutedAsync(
        DbCommand command, CommandExecutedEventData eventData, DbDataReader result, CancellationToken cancellationToken = default) =>
        ValueTask.FromResult(ReaderExecuted(command, eventData, result));

    private InterceptionResult<DbDataReader> Replay()
    {
        Replays++;
        return InterceptionResult<DbDataReader>.SuppressWithResult(new RowSetReader(_rows!));
    }

    private RecordingDataReader Record(DbDataReader reader)
    {
        var found = schema(reader);
        return new RecordingDataReader(reader, found, new RowLimits(1000, 1 << 20), 100, (rows, end) =>
        {
            End = end;
            Assert.True(RowFormat.TryDecode(RowFormat.Encode(rows!, default), found, out _, out _rows));
        });
    }
}
