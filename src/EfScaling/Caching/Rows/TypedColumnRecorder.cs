using System.Data.Common;
using System.Runtime.CompilerServices;
using EfScaling.Caching.Rows.Codecs;

namespace EfScaling.Caching.Rows;

/// <summary>Collects the values of one column in an array of their type.</summary>
internal sealed class TypedColumnRecorder<T>(ValueCodec<T> codec) : ColumnRecorder
{
    // Most results are one row: the first array holds no more.
    private const int SecondCapacity = 8;

    private readonly bool _isPicky = codec.IsPicky;
    private T[] _values = [];
    private ulong[]? _nulls;
    private int _count;
    private int _nullCount;
    private bool _isLost;

    /// <inheritdoc />
    public override int Width => Unsafe.SizeOf<T>();

    /// <inheritdoc />
    public override int Add(DbDataReader reader, int ordinal)
    {
        if (_count == _values.Length)
        {
            Array.Resize(ref _values, _count == 0 ? 1 : Math.Max(SecondCapacity, _count * 2));
        }

        if (reader.IsDBNull(ordinal))
        {
            Nulls.Add(ref _nulls, _count++);
            _nullCount++;
            return 0;
        }

        var value = codec.Fetch(reader, ordinal);
        _values[_count++] = value;
        if (_isPicky && !codec.CanKeep(value))
        {
            _isLost = true;
            return 0;
        }

        return RuntimeHelpers.IsReferenceOrContainsReferences<T>() ? codec.Measure(value) : 0;
    }

    /// <inheritdoc />
    public override Column? Complete()
    {
        if (_isLost)
        {
            return null;
        }

        if (_nullCount == _count && _count > 0)
        {
            return new TypedColumn<T>(codec, [], _count, Nulls.All);
        }

        // Kept for long and counted against a bound: room for rows that never came is given back.
        if (_values.Length - _count > _count / 4)
        {
            Array.Resize(ref _values, _count);
        }

        if (_nulls is not null)
        {
            Array.Resize(ref _nulls, (_count + 63) / 64);
        }

        return new TypedColumn<T>(codec, _values, _count, _nulls);
    }
}
