using System.Runtime.CompilerServices;
using EfScaling.Caching.Rows.Codecs;

namespace EfScaling.Caching.Rows;

/// <summary>The recorded values of one column, by their type.</summary>
/// <remarks>In a payload: which rows are null, then the values of the others as the codec writes them.</remarks>
internal sealed class TypedColumn<T> : Column
{
    private readonly ValueCodec<T> _codec;
    private readonly T[] _values;
    private readonly int _count;
    private readonly bool _copies;

    /// <summary>Makes a column.</summary>
    /// <param name="codec">How values are copied and written.</param>
    /// <param name="values">A value a row, or none if all are null. Kept by reference.</param>
    /// <param name="count">How many rows there are; <paramref name="values"/> may have room for more.</param>
    /// <param name="nulls">Which are null.</param>
    public TypedColumn(ValueCodec<T> codec, T[] values, int count, ulong[]? nulls)
        : base(nulls)
    {
        (_codec, _values, _count, _copies) = (codec, values, count, codec.CopiesOnRead);
        Size = 72 + ((long)Unsafe.SizeOf<T>() * values.Length) + (8L * (nulls?.Length ?? 0));
        if (RuntimeHelpers.IsReferenceOrContainsReferences<T>())
        {
            for (var i = 0; i < count && values.Length > 0; i++)
            {
                Size += Rows.Nulls.Contains(nulls, i) ? 0 : codec.Measure(values[i]);
            }
        }
    }

    /// <inheritdoc />
    public override long Size { get; }

    /// <summary>Reads a column that may hold anything.</summary>
    /// <returns><see langword="null"/> if it is damaged.</returns>
    public static TypedColumn<T>? Read(ref PayloadReader reader, ValueCodec<T> codec, int rows)
    {
        var nulls = Rows.Nulls.Read(ref reader, rows, out var present);
        if (reader.IsDamaged || present > (long)reader.Left * codec.ValuesPerByte)
        {
            return null;
        }

        var values = ReferenceEquals(nulls, Rows.Nulls.All) ? [] : new T[rows];
        if (values.Length > 0)
        {
            codec.Read(ref reader, values.AsSpan(0, present));
            if (nulls is not null && !reader.IsDamaged)
            {
                Rows.Nulls.Spread(values, present, nulls);
            }
        }

        return reader.IsDamaged ? null : new TypedColumn<T>(codec, values, rows, nulls);
    }

    /// <summary>Gets the value of a row, which is not null.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public T Get(int row)
    {
        var value = _values[row];
        return _copies ? _codec.Copy(value) : value;
    }

    /// <inheritdoc />
    public override object GetBoxed(int row) => Get(row)!;

    /// <inheritdoc />
    public override void Write(PayloadWriter writer)
    {
        Rows.Nulls.Write(writer, Nulls, _count);
        if (Nulls is null)
        {
            WriteValues(writer, _values.AsSpan(0, _count));
        }
        else if (Nulls.Length > 0)
        {
            var present = new List<T>();
            for (var i = 0; i < _count; i++)
            {
                if (!IsNull(i))
                {
                    present.Add(_values[i]);
                }
            }

            WriteValues(writer, System.Runtime.InteropServices.CollectionsMarshal.AsSpan(present));
        }
    }

    private void WriteValues(PayloadWriter writer, ReadOnlySpan<T> values)
    {
        if (_count > 0)
        {
            _codec.Write(writer, values);
        }
    }
}
