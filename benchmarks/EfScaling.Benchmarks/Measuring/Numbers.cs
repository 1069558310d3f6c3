using System.Collections;
using System.Data.Common;

namespace EfScaling.Benchmarks.Measuring;

/// <summary>A result whose rows are made up as they are read: numbers that grow, the same in every column.</summary>
/// <param name="first">The first number.</param>
/// <param name="step">How far they are apart.</param>
/// <param name="count">How many rows there are.</param>
internal sealed class Numbers(int first, int step, int count) : DbDataReader
{
    private int _row = -1;

    public override int FieldCount => 2;

    public override int Depth => 0;

    public override bool HasRows => count > 0;

    public override bool IsClosed => false;

    public override int RecordsAffected => -1;

    public override object this[int ordinal] => GetInt64(ordinal);

    public override object this[string name] => GetInt64(0);

    public override bool Read() => ++_row < count;

    public override bool NextResult() => false;

    public override long GetInt64(int ordinal) => first + ((long)_row * step);

    public override T GetFieldValue<T>(int ordinal) => (T)(object)GetInt64(ordinal);

    public override object GetValue(int ordinal) => GetInt64(ordinal);

    public override bool IsDBNull(int ordinal) => false;

    public override Type GetFieldType(int ordinal) => typeof(long);

    public override string GetDataTypeName(int ordinal) => "bigint";

    public override string GetName(int ordinal) => "number";

    public override int GetOrdinal(string name) => 0;

    public override int GetValues(object[] values) => throw new NotSupportedException();

    public override IEnumerator GetEnumerator() => throw new NotSupportedException();

    public override bool GetBoolean(int ordinal) => throw new NotSupportedException();

    public override byte GetByte(int ordinal) => throw new NotSupportedException();

    public override long GetBytes(int ordinal, long dataOffset, byte[]? buffer, int bufferOffset, int length) => throw new NotSupportedException();

    public override char GetChar(int ordinal) => throw new NotSupportedException();

    public override long GetChars(int ordinal, long dataOffset, char[]? buffer, int bufferOffset, int length) => throw new NotSupportedException();

    public override DateTime GetDateTime(int ordinal) => throw new NotSupportedException();

    public override decimal GetDecimal(int ordinal) => throw new NotSupportedException();

    public override double GetDouble(int ordinal) => throw new NotSupportedException();

    public override float GetFloat(int ordinal) => throw new NotSupportedException();

    public override Guid GetGuid(int ordinal) => throw new NotSupportedException();

    public override short GetInt16(int ordinal) => throw new NotSupportedException();

    public override int GetInt32(int ordinal) => throw new NotSupportedException();

    public override string GetString(int ordinal) => throw new NotSupportedException();
}
