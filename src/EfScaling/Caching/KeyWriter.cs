using System.Buffers;
using System.Buffers.Binary;
using System.Collections;
using System.Data;
using System.Data.Common;
using System.Runtime.InteropServices;

namespace EfScaling.Caching;

/// <summary>Writes what tells one query from another, such that no two different queries write the same bytes.</summary>
/// <remarks>Each value is its kind, its length where that varies, and its bytes. Not thread-safe; must be disposed.</remarks>
internal ref struct KeyWriter
{
    private byte[]? _rented;
    private Span<byte> _buffer;
    private int _length;

    /// <param name="initial">Where to write first; more is rented when it is full.</param>
    public KeyWriter(Span<byte> initial) => _buffer = initial;

    // Append only: the kinds are part of the keys of stored results.
    private enum Kind : byte
    {
        Null = 1,
        Boolean,
        Byte,
        Int16,
        Int32,
        Int64,
        UInt32,
        UInt64,
        Single,
        Double,
        Decimal,
        Char,
        Text,
        Guid,
        DateTime,
        DateTimeOffset,
        Date,
        Time,
        Interval,
        Bytes,
        Sequence,
        Label,
    }

    /// <summary>Gets the digest of all that was written.</summary>
    public readonly UInt128 Digest => Caching.Digest.Of(_buffer[.._length]);

    /// <summary>Gets what was written.</summary>
    public readonly ReadOnlySpan<byte> Written => _buffer[.._length];

    /// <summary>Writes a text.</summary>
    public void Write(string text)
    {
        // Its units as they are: UTF-8 would make one text of all unpaired surrogates.
        WriteKind(Kind.Text);
        WriteInt32(text.Length);
        MemoryMarshal.AsBytes(text.AsSpan()).CopyTo(Reserve(text.Length * sizeof(char)));
    }

    /// <summary>Writes a digest.</summary>
    public void Write(UInt128 digest) => BinaryPrimitives.WriteUInt128LittleEndian(Reserve(16), digest);

    /// <summary>Writes the value of a parameter as it is sent to the database.</summary>
    /// <returns><see langword="false"/> if its type is not known here, so that two values could not be told apart.</returns>
    public bool TryWrite(DbParameter parameter)
    {
        Write(parameter.ParameterName);
        WriteInt32((int)parameter.DbType);
        return TryWrite(parameter.Value);
    }

    /// <summary>Gives rented memory back.</summary>
    public void Dispose()
    {
        if (_rented is not null)
        {
            ArrayPool<byte>.Shared.Return(_rented);
            _rented = null;
        }
    }

    private bool TryWrite(object? value)
    {
        switch (value)
        {
            case null or DBNull:
                WriteKind(Kind.Null);
                return true;
            case int number:
                WriteKind(Kind.Int32);
                WriteInt32(number);
                return true;
            case long number:
                return Write(Kind.Int64, number);
            case string text:
                Write(text);
                return true;
            case Guid guid:
                WriteKind(Kind.Guid);
                return guid.TryWriteBytes(Reserve(16));
            case bool flag:
                return Write(Kind.Boolean, flag ? (byte)1 : (byte)0);
            case DateTime time:
                // Ticks and kind: the kind decides how the provider sends it.
                return Write(Kind.DateTime, (time.Ticks << 2) | (long)(uint)time.Kind);
            case DateTimeOffset time:
                WriteKind(Kind.DateTimeOffset);
                WriteRaw(time.Ticks);
                WriteRaw(time.Offset.Ticks);
                return true;
            case short number:
                return Write(Kind.Int16, number);
            case byte number:
                return Write(Kind.Byte, number);
            case decimal number:
                WriteKind(Kind.Decimal);
                decimal.GetBits(number, MemoryMarshal.Cast<byte, int>(Reserve(16)));
                return true;
            case double number:
                return Write(Kind.Double, BitConverter.DoubleToInt64Bits(number));
            case float number:
                return Write(Kind.Single, BitConverter.SingleToInt32Bits(number));
            case DateOnly date:
                return Write(Kind.Date, date.DayNumber);
            case TimeOnly time:
                return Write(Kind.Time, time.Ticks);
            case TimeSpan interval:
                return Write(Kind.Interval, interval.Ticks);
            case uint number:
                return Write(Kind.UInt32, number);
            case ulong number:
                return Write(Kind.UInt64, number);
            case char character:
                return Write(Kind.Char, character);
            case byte[] bytes:
                WriteKind(Kind.Bytes);
                WriteInt32(bytes.Length);
                bytes.CopyTo(Reserve(bytes.Length));
                return true;
            case IList items when value.GetType() is { IsArray: true } or { IsConstructedGenericType: true }:
                return TryWriteItems(items);
            default:
                // A PostgreSQL enum, which is sent by name: numbers change from one version of the application to the next.
                return value is Enum label && WriteLabel(label);
        }
    }

    private bool WriteLabel(Enum label)
    {
        WriteKind(Kind.Label);
        Write(label.ToString());
        return true;
    }

    private bool TryWriteItems(IList items)
    {
        if (items is Array { Rank: > 1 })
        {
            return false;
        }

        WriteKind(Kind.Sequence);
        WriteInt32(items.Count);
        foreach (var item in items)
        {
            if (!TryWrite(item))
            {
                return false;
            }
        }

        return true;
    }

    private bool Write<T>(Kind kind, T value)
        where T : unmanaged
    {
        WriteKind(kind);
        WriteRaw(value);
        return true;
    }

    private void WriteRaw<T>(T value)
        where T : unmanaged =>
        MemoryMarshal.Write(Reserve(System.Runtime.CompilerServices.Unsafe.SizeOf<T>()), value);

    private void WriteKind(Kind kind) => Reserve(1)[0] = (byte)kind;

    private void WriteInt32(int value) => BinaryPrimitives.WriteInt32LittleEndian(Reserve(sizeof(int)), value);

    private Span<byte> Reserve(int count)
    {
        if (_buffer.Length - _length < count)
        {
            Grow(count);
        }

        var reserved = _buffer.Slice(_length, count);
        _length += count;
        return reserved;
    }

    private void Grow(int count)
    {
        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(_length + count, _buffer.Length * 2));
        _buffer[.._length].CopyTo(larger);
        Dispose();
        _buffer = _rented = larger;
    }
}
