using System.Collections;
using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace EfScaling.Caching.Rows;

/// <summary>Replays recorded rows to EF as Npgsql's reader would. Not thread-safe; any number of readers share the rows.</summary>
/// <remarks>
/// A column is read as the type it was recorded as, as that type's <see cref="Nullable{T}"/> or as <see cref="object"/>. Reading NULL as a type that has none
/// throws, as Npgsql does. Values that can be changed are copied at each read.
/// </remarks>
internal sealed class RowSetReader(RowSet rows) : DbDataReader
{
    private readonly Column[] _columns = rows.Columns;
    private readonly int _count = rows.RowCount;
    private int _row = -1;
    private bool _isClosed;
    private bool _isPastResult;

    /// <inheritdoc />
    public override int FieldCount => _isPastResult ? 0 : _columns.Length;

    /// <inheritdoc />
    public override int VisibleFieldCount => FieldCount;

    /// <inheritdoc />
    public override bool HasRows => !_isPastResult && _count > 0;

    /// <inheritdoc />
    public override bool IsClosed => _isClosed;

    /// <inheritdoc />
    public override int RecordsAffected => -1;

    /// <inheritdoc />
    public override int Depth => 0;

    /// <inheritdoc />
    public override object this[int ordinal] => GetValue(ordinal);

    /// <inheritdoc />
    public override object this[string name] => GetValue(GetOrdinal(name));

    /// <inheritdoc />
    public override bool Read()
    {
        if (_isClosed)
        {
            throw Closed();
        }

        if (_row < _count)
        {
            _row++;
        }

        return _row < _count;
    }

    /// <inheritdoc />
    public override Task<bool> ReadAsync(CancellationToken cancellationToken) =>
        cancellationToken.IsCancellationRequested ? Task.FromCanceled<bool>(cancellationToken) : Task.FromResult(Read());

    /// <inheritdoc />
    public override bool NextResult()
    {
        if (_isClosed)
        {
            throw Closed();
        }

        (_row, _isPastResult) = (_count, true);
        return false;
    }

    /// <inheritdoc />
    public override Task<bool> NextResultAsync(CancellationToken cancellationToken) =>
        cancellationToken.IsCancellationRequested ? Task.FromCanceled<bool>(cancellationToken) : Task.FromResult(NextResult());

    /// <inheritdoc />
    public override void Close() => _isClosed = true;

    /// <inheritdoc />
    public override Task CloseAsync()
    {
        _isClosed = true;
        return Task.CompletedTask;
    }

    /// <inheritdoc />
    public override bool IsDBNull(int ordinal) => Current(ordinal).IsNull(_row);

    /// <inheritdoc />
    public override Task<bool> IsDBNullAsync(int ordinal, CancellationToken cancellationToken) =>
        cancellationToken.IsCancellationRequested ? Task.FromCanceled<bool>(cancellationToken) : Task.FromResult(IsDBNull(ordinal));

    /// <inheritdoc />
    public override bool GetBoolean(int ordinal) => Get<bool>(ordinal);

    /// <inheritdoc />
    public override byte GetByte(int ordinal) => Get<byte>(ordinal);

    /// <inheritdoc />
    public override char GetChar(int ordinal) => Get<char>(ordinal);

    /// <inheritdoc />
    public override DateTime GetDateTime(int ordinal) => Get<DateTime>(ordinal);

    /// <inheritdoc />
    public override decimal GetDecimal(int ordinal) => Get<decimal>(ordinal);

    /// <inheritdoc />
    public override double GetDouble(int ordinal) => Get<double>(ordinal);

    /// <inheritdoc />
    public override float GetFloat(int ordinal) => Get<float>(ordinal);

    /// <inheritdoc />
    public override Guid GetGuid(int ordinal) => Get<Guid>(ordinal);

    /// <inheritdoc />
    public override short GetInt16(int ordinal) => Get<short>(ordinal);

    /// <inheritdoc />
    public override int GetInt32(int ordinal) => Get<int>(ordinal);

    /// <inheritdoc />
    public override long GetInt64(int ordinal) => Get<long>(ordinal);

    /// <inheritdoc />
    public override string GetString(int ordinal) =>
        // Named, not generic: code that reference types share would look the column's type up at each call.
        Current(ordinal) is TypedColumn<string> column && !column.IsNull(_row) ? column.Get(_row) : Convert<string>(ordinal);

    /// <inheritdoc />
    public override T GetFieldValue<T>(int ordinal) => Get<T>(ordinal);

    /// <inheritdoc />
    public override Task<T> GetFieldValueAsync<T>(int ordinal, CancellationToken cancellationToken) =>
        cancellationToken.IsCancellationRequested ? Task.FromCanceled<T>(cancellationToken) : Task.FromResult(Get<T>(ordinal));

    /// <inheritdoc />
    public override object GetValue(int ordinal)
    {
        var column = Current(ordinal);
        return column.IsNull(_row) ? DBNull.Value : column.GetBoxed(_row);
    }

    /// <inheritdoc />
    public override int GetValues(object[] values)
    {
        ArgumentNullException.ThrowIfNull(values);
        var count = Math.Min(values.Length, FieldCount);
        for (var i = 0; i < count; i++)
        {
            values[i] = GetValue(i);
        }

        return count;
    }

    /// <inheritdoc />
    public override Stream GetStream(int ordinal) =>
        Current(ordinal) is TypedColumn<byte[]> ? new MemoryStream(Get<byte[]>(ordinal), writable: false) : Get<Stream>(ordinal);

    /// <inheritdoc />
    public override TextReader GetTextReader(int ordinal) => new StringReader(GetString(ordinal));

    /// <inheritdoc />
    public override long GetBytes(int ordinal, long dataOffset, byte[]? buffer, int bufferOffset, int length) =>
        CopyPart<byte>(Get<byte[]>(ordinal), dataOffset, buffer, bufferOffset, length);

    /// <inheritdoc />
    public override long GetChars(int ordinal, long dataOffset, char[]? buffer, int bufferOffset, int length) =>
        CopyPart(GetString(ordinal).AsSpan(), dataOffset, buffer, bufferOffset, length);

    /// <inheritdoc />
    public override string GetName(int ordinal) => Described(ordinal).Name ?? string.Create(CultureInfo.InvariantCulture, $"column{ordinal}");

    /// <inheritdoc />
    public override int GetOrdinal(string name)
    {
        for (var i = 0; i < FieldCount; i++)
        {
            if (string.Equals(GetName(i), name, StringComparison.Ordinal))
            {
                return i;
            }
        }

        for (var i = 0; i < FieldCount; i++)
        {
            if (string.Equals(GetName(i), name, StringComparison.OrdinalIgnoreCase))
            {
                return i;
            }
        }

#pragma warning disable CA2201 // What readers throw, Npgsql's too.
        throw new IndexOutOfRangeException($"The cached result has no column '{name}'.");
#pragma warning restore CA2201
    }

    /// <inheritdoc />
    public override string GetDataTypeName(int ordinal) => Described(ordinal).StoreType;

    /// <inheritdoc />
    [return: DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicFields | DynamicallyAccessedMemberTypes.PublicProperties)]
    public override Type GetFieldType(int ordinal) => Described(ordinal).ClrType;

    /// <inheritdoc />
    public override IEnumerator GetEnumerator() => new DbEnumerator(this, closeReader: false);

    private static InvalidOperationException Closed() => new("A cached result was read after its reader was closed.");

    private static long CopyPart<T>(ReadOnlySpan<T> value, long offset, T[]? buffer, int bufferOffset, int length)
    {
        if (buffer is null)
        {
            return value.Length;
        }

        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        if (offset >= value.Length)
        {
            return 0;
        }

        var part = value[(int)offset..];
        part = part[..Math.Min(part.Length, Math.Min(length, buffer.Length - bufferOffset))];
        part.CopyTo(buffer.AsSpan(bufferOffset));
        return part.Length;
    }

    private T Get<T>(int ordinal) =>
        Current(ordinal) is TypedColumn<T> column && !column.IsNull(_row) ? column.Get(_row) : Convert<T>(ordinal);

    private T Convert<T>(int ordinal)
    {
        var column = _columns[ordinal];
        if (column.IsNull(_row))
        {
            if (typeof(T) == typeof(object))
            {
                return (T)(object)DBNull.Value;
            }

            return Nullable.GetUnderlyingType(typeof(T)) is not null ? default! : throw new InvalidCastException($"Column '{GetName(ordinal)}' is null.");
        }

        if (typeof(T) == typeof(object) || Nullable.GetUnderlyingType(typeof(T)) == Described(ordinal).ClrType)
        {
            return (T)column.GetBoxed(_row);
        }

        throw new InvalidCastException(
            $"Column '{GetName(ordinal)}' of a cached result cannot be read as '{typeof(T)}': the query's model says that its type '{GetDataTypeName(ordinal)}' is read as '{GetFieldType(ordinal)}'.");
    }

    private Column Current(int ordinal)
    {
        if ((uint)_row >= (uint)_count || _isClosed)
        {
            throw _isClosed ? Closed() : new InvalidOperationException("No row is available: the reader of a cached result is before the first or after the last.");
        }

        return _columns[ordinal];
    }

    private RowColumn Described(int ordinal) => _isClosed ? throw Closed() : rows.Schema[ordinal];
}
