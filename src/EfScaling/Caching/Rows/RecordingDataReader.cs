using System.Collections;
using System.Collections.ObjectModel;
using System.Data;
using System.Data.Common;
using System.Diagnostics.CodeAnalysis;

namespace EfScaling.Caching.Rows;

/// <summary>The database's reader to its caller, while it records the rows that the caller reads.</summary>
/// <remarks>
/// The caller sees the database's reader alone: nothing that goes wrong with the recording reaches it. A caller who stops early leaves rows; a few of them are
/// read when the reader is closed. Only the first result is recorded. Not thread-safe, as all readers.
/// </remarks>
internal sealed class RecordingDataReader : DbDataReader
{
    private readonly DbDataReader _inner;
    private readonly Action<RowSet?, RecordingEnd> _ended;
    private readonly int _readOn;
    private RowRecorder? _recorder;
    private bool _isDisposed;

    /// <summary>Starts to record.</summary>
    /// <param name="inner">The database's reader, before its first row. Closed and disposed with this one.</param>
    /// <param name="schema">What the result holds.</param>
    /// <param name="limits">How much is recorded.</param>
    /// <param name="readOn">How many rows are read on behalf of a caller who closes the reader before the end.</param>
    /// <param name="ended">Called once: with the rows at the end of the result, or without them as soon as they cannot be had. Its exceptions are dropped.</param>
    public RecordingDataReader(DbDataReader inner, RowSchema schema, RowLimits limits, int readOn, Action<RowSet?, RecordingEnd> ended)
    {
        (_inner, _ended, _readOn) = (inner, ended, readOn);
        _recorder = new RowRecorder(schema, limits);
    }

    /// <inheritdoc />
    public override int FieldCount => _inner.FieldCount;

    /// <inheritdoc />
    public override int VisibleFieldCount => _inner.VisibleFieldCount;

    /// <inheritdoc />
    public override bool HasRows => _inner.HasRows;

    /// <inheritdoc />
    public override bool IsClosed => _isDisposed || _inner.IsClosed;

    /// <inheritdoc />
    public override int RecordsAffected => _inner.RecordsAffected;

    /// <inheritdoc />
    public override int Depth => _inner.Depth;

    /// <inheritdoc />
    public override object this[int ordinal] => _inner[ordinal];

    /// <inheritdoc />
    public override object this[string name] => _inner[name];

    /// <inheritdoc />
    public override bool Read()
    {
        try
        {
            return Note(_inner.Read());
        }
        catch when (Fail())
        {
            throw;
        }
    }

    /// <inheritdoc />
    public override Task<bool> ReadAsync(CancellationToken cancellationToken)
    {
        if (_recorder is null)
        {
            return _inner.ReadAsync(cancellationToken);
        }

        try
        {
            var reading = _inner.ReadAsync(cancellationToken);
            if (!reading.IsCompletedSuccessfully)
            {
                return NoteAsync(reading);
            }

            // The task is handed on: a row that has arrived already costs no other.
#pragma warning disable RS0030 // It has completed.
            Note(reading.Result);
#pragma warning restore RS0030
            return reading;
        }
        catch when (Fail())
        {
            throw;
        }
    }

    /// <inheritdoc />
    public override bool NextResult()
    {
        ReadOn();
        return _inner.NextResult();
    }

    /// <inheritdoc />
    public override async Task<bool> NextResultAsync(CancellationToken cancellationToken)
    {
        await ReadOnAsync().ConfigureAwait(false);
        return await _inner.NextResultAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc />
    public override void Close()
    {
        if (!_isDisposed)
        {
            ReadOn();
            _inner.Close();
        }
    }

    /// <inheritdoc />
    public override async Task CloseAsync()
    {
        if (!_isDisposed)
        {
            await ReadOnAsync().ConfigureAwait(false);
            await _inner.CloseAsync().ConfigureAwait(false);
        }
    }

    // The bases close what is disposed, again and synchronously. Npgsql gives a disposed reader to the connection's next command: it must not be touched.
#pragma warning disable CA2215

    /// <inheritdoc />
    public override async ValueTask DisposeAsync()
    {
        if (!_isDisposed)
        {
            await ReadOnAsync().ConfigureAwait(false);
            _isDisposed = true;
            await _inner.DisposeAsync().ConfigureAwait(false);
        }

        GC.SuppressFinalize(this);
    }

    /// <inheritdoc />
    protected override void Dispose(bool disposing)
    {
        if (disposing && !_isDisposed)
        {
            ReadOn();
            _isDisposed = true;
            _inner.Dispose();
        }
    }

#pragma warning restore CA2215

    /// <inheritdoc />
    public override bool IsDBNull(int ordinal) => _inner.IsDBNull(ordinal);

    /// <inheritdoc />
    public override Task<bool> IsDBNullAsync(int ordinal, CancellationToken cancellationToken) => _inner.IsDBNullAsync(ordinal, cancellationToken);

    /// <inheritdoc />
    public override bool GetBoolean(int ordinal) => _inner.GetBoolean(ordinal);

    /// <inheritdoc />
    public override byte GetByte(int ordinal) => _inner.GetByte(ordinal);

    /// <inheritdoc />
    public override char GetChar(int ordinal) => _inner.GetChar(ordinal);

    /// <inheritdoc />
    public override DateTime GetDateTime(int ordinal) => _inner.GetDateTime(ordinal);

    /// <inheritdoc />
    public override decimal GetDecimal(int ordinal) => _inner.GetDecimal(ordinal);

    /// <inheritdoc />
    public override double GetDouble(int ordinal) => _inner.GetDouble(ordinal);

    /// <inheritdoc />
    public override float GetFloat(int ordinal) => _inner.GetFloat(ordinal);

    /// <inheritdoc />
    public override Guid GetGuid(int ordinal) => _inner.GetGuid(ordinal);

    /// <inheritdoc />
    public override short GetInt16(int ordinal) => _inner.GetInt16(ordinal);

    /// <inheritdoc />
    public override int GetInt32(int ordinal) => _inner.GetInt32(ordinal);

    /// <inheritdoc />
    public override long GetInt64(int ordinal) => _inner.GetInt64(ordinal);

    /// <inheritdoc />
    public override string GetString(int ordinal) => _inner.GetString(ordinal);

    /// <inheritdoc />
    public override T GetFieldValue<T>(int ordinal) => _inner.GetFieldValue<T>(ordinal);

    /// <inheritdoc />
    public override Task<T> GetFieldValueAsync<T>(int ordinal, CancellationToken cancellationToken) => _inner.GetFieldValueAsync<T>(ordinal, cancellationToken);

    /// <inheritdoc />
    public override object GetValue(int ordinal) => _inner.GetValue(ordinal);

    /// <inheritdoc />
    public override int GetValues(object[] values) => _inner.GetValues(values);

    /// <inheritdoc />
    public override object GetProviderSpecificValue(int ordinal) => _inner.GetProviderSpecificValue(ordinal);

    /// <inheritdoc />
    public override int GetProviderSpecificValues(object[] values) => _inner.GetProviderSpecificValues(values);

    /// <inheritdoc />
    [return: DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicFields | DynamicallyAccessedMemberTypes.PublicProperties)]
    public override Type GetProviderSpecificFieldType(int ordinal) => _inner.GetProviderSpecificFieldType(ordinal);

    /// <inheritdoc />
    public override Stream GetStream(int ordinal) => _inner.GetStream(ordinal);

    /// <inheritdoc />
    public override TextReader GetTextReader(int ordinal) => _inner.GetTextReader(ordinal);

    /// <inheritdoc />
    public override long GetBytes(int ordinal, long dataOffset, byte[]? buffer, int bufferOffset, int length) =>
        _inner.GetBytes(ordinal, dataOffset, buffer, bufferOffset, length);

    /// <inheritdoc />
    public override long GetChars(int ordinal, long dataOffset, char[]? buffer, int bufferOffset, int length) =>
        _inner.GetChars(ordinal, dataOffset, buffer, bufferOffset, length);

    /// <inheritdoc />
    public override string GetName(int ordinal) => _inner.GetName(ordinal);

    /// <inheritdoc />
    public override int GetOrdinal(string name) => _inner.GetOrdinal(name);

    /// <inheritdoc />
    public override string GetDataTypeName(int ordinal) => _inner.GetDataTypeName(ordinal);

    /// <inheritdoc />
    [return: DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicFields | DynamicallyAccessedMemberTypes.PublicProperties)]
    public override Type GetFieldType(int ordinal) => _inner.GetFieldType(ordinal);

    /// <inheritdoc />
    public override DataTable? GetSchemaTable() => _inner.GetSchemaTable();

    /// <inheritdoc />
    public override Task<DataTable?> GetSchemaTableAsync(CancellationToken cancellationToken = default) => _inner.GetSchemaTableAsync(cancellationToken);

    /// <inheritdoc />
    public override Task<ReadOnlyCollection<DbColumn>> GetColumnSchemaAsync(CancellationToken cancellationToken = default) =>
        _inner.GetColumnSchemaAsync(cancellationToken);

    /// <inheritdoc />
    public override IEnumerator GetEnumerator() => new DbEnumerator(this, closeReader: false);

    /// <inheritdoc />
    protected override DbDataReader GetDbDataReader(int ordinal) => _inner.GetData(ordinal);

    private async Task<bool> NoteAsync(Task<bool> reading)
    {
        try
        {
            return Note(await reading.ConfigureAwait(false));
        }
        catch when (Fail())
        {
            throw;
        }
    }

    private bool Note(bool isRow)
    {
        if (_recorder is not { } recorder)
        {
            return isRow;
        }

        try
        {
            if (!isRow)
            {
                Complete(recorder);
            }
            else if (!recorder.Add(_inner))
            {
                End(null, RecordingEnd.TooLarge);
            }
        }
        catch (Exception)
        {
            // Whatever it was, the caller may yet read the row as it wishes.
            End(null, RecordingEnd.Unreadable);
        }

        return isRow;
    }

    private void Complete(RowRecorder recorder)
    {
        if (recorder.Complete() is { } rows)
        {
            End(rows, RecordingEnd.Complete);
        }
        else
        {
            End(null, RecordingEnd.Unreadable);
        }
    }

    private void ReadOn()
    {
        try
        {
            for (var left = _readOn; left >= 0 && _recorder is not null && !_inner.IsClosed; left--)
            {
                Note(_inner.Read());
            }
        }
        catch (Exception)
        {
            // The caller wants no more rows; what the connection has to say, closing it will say.
            Fail();
        }

        End(null, RecordingEnd.Abandoned);
    }

    private async ValueTask ReadOnAsync()
    {
        try
        {
            for (var left = _readOn; left >= 0 && _recorder is not null && !_inner.IsClosed; left--)
            {
                Note(await _inner.ReadAsync(CancellationToken.None).ConfigureAwait(false));
            }
        }
        catch (Exception)
        {
            // As above.
            Fail();
        }

        End(null, RecordingEnd.Abandoned);
    }

    private bool Fail()
    {
        End(null, RecordingEnd.Failed);
        return true;
    }

    private void End(RowSet? rows, RecordingEnd end)
    {
        if (_recorder is null)
        {
            return;
        }

        _recorder = null;
        try
        {
            _ended(rows, end);
        }
        catch (Exception)
        {
            // The rows are the caller's, whatever becomes of their copy.
        }
    }
}
