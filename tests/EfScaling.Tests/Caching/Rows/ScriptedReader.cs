using System.Collections;
using System.Data.Common;

namespace EfScaling.Tests.Caching.Rows;

/// <summary>Plays a database's reader over given rows, and may fail or be slow.</summary>
internal sealed class ScriptedReader(object?[][] rows, string[]? names = null) : DbDataReader
{
    private int _row = -1;
    private bool _closed;

    public int FailsAtRow { get; init; } = int.MaxValue;

    public bool IsSlow { get; init; }

    public int RowsRead => _row;

    public int SynchronousReads { get; private set; }

    public int Disposals { get; private set; }

    public int CallsAfterDisposal { get; private set; }

    public override int FieldCount => names?.Length ?? (rows.Length == 0 ? 0 : rows[0].Length);

    public override bool HasRows => rows.Length > 0;

    public override bool IsClosed
    {
        get
        {
            CallsAfterDisposal += Disposals > 0 ? 1 : 0;
            return _closed;
        }
    }

    public override int RecordsAffected => -1;

    public override int Depth => 0;

    public override object this[int ordinal] => GetValue(ordinal);

    public override object this[string name] => GetValue(GetOrdinal(name));

    public override bool Read()
    {
        SynchronousReads++;
        return Advance();
    }

    public override async Task<bool> ReadAsync(CancellationToken cancellationToken)
    {
        if (IsSlow)
        {
            await Task.Yield();
        }

        return Advance();
    }

    public override bool NextResult() => false;

    public override void Close()
    {
        CallsAfterDisposal += Disposals > 0 ? 1 : 0;
        _closed = true;
    }

    public override bool IsDBNull(int ordinal) => rows[_row][ordinal] is null;

    public override object GetValue(int ordinal) => rows[_row][ordinal] ?? DBNull.Value;

    public override T GetFieldValue<T>(int ordinal) => (T)GetValue(ordinal);

    public override Stream GetStream(int ordinal) => new MemoryStream(((MemoryStream)GetValue(ordinal)).ToArray());

    public override bool GetBoolean(int ordinal) => (bool)GetValue(ordinal);

    public override byte GetByte(int ordinal) => (byte)GetValue(ordinal);

    public override char GetChar(int ordinal) => (char)GetValue(ordinal);

    public override DateTime GetDateTime(int ordinal) => (DateTime)GetValue(ordinal);

    public override decimal GetDecimal(int ordinal) => (decimal)GetValue(ordinal);

    public override double GetDouble(int ordinal) => (double)GetValue(ordinal);

    public override float GetFloat(int ordinal) => (float)GetValue(ordinal);

    public override Guid GetGuid(int ordinal) => (Guid)GetValue(ordinal);

    public override short GetInt16(int ordinal) => (short)GetValue(ordinal);

    public override int GetInt32(int ordinal) => (int)GetValue(ordinal);

    public override long GetInt64(int ordinal) => (long)GetValue(ordinal);

    public override string GetString(int ordinal) => (string)GetValue(ordinal);

    public override string GetName(int ordinal) => names?[ordinal] ?? $"c{ordinal}";

    public override int GetOrdinal(string name) => Array.IndexOf(names ?? [], name);

    public override int GetValues(object[] values) => throw new NotSupportedException();

    public override long GetBytes(int ordinal, long dataOffset, byte[]? buffer, int bufferOffset, int length) => throw new NotSupportedException();

    public override long GetChars(int ordinal, long dataOffset, char[]? buffer, int bufferOffset, int length) => throw new NotSupportedException();

    public override string GetDataTypeName(int ordinal) => "scripted";

    public override Type GetFieldType(int ordinal) => typeof(object);

    public override IEnumerator GetEnumerator() => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        _closed = true;
        base.Dispose(disposing);
        Disposals++;
    }

    private bool Advance()
    {
        CallsAfterDisposal += Disposals > 0 ? 1 : 0;
        if (++_row >= FailsAtRow)
        {
            throw new TimeoutException("The scripted server is gone.");
        }

        return _row < rows.Length;
    }
}
