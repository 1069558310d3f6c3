using NpgsqlTypes;

namespace EfScaling.Caching.Rows.Codecs;

/// <summary>Writes ranges: a byte of flags, then the bounds that are finite.</summary>
internal sealed class RangeCodec<T>(ValueCodec<T> bounds) : ValueCodec<NpgsqlRange<T>>(CodecId.Range)
{
    private const int Empty = 1;
    private const int LowerInclusive = 2;
    private const int UpperInclusive = 4;
    private const int LowerInfinite = 8;
    private const int UpperInfinite = 16;
    private const int Unknown = 0xE0;

    /// <inheritdoc />
    public override bool IsPicky => bounds.IsPicky;

    /// <inheritdoc />
    public override void Describe(PayloadWriter writer)
    {
        base.Describe(writer);
        bounds.Describe(writer);
    }

    /// <inheritdoc />
    public override void Write(PayloadWriter writer, ReadOnlySpan<NpgsqlRange<T>> values)
    {
        foreach (var value in values)
        {
            var flags = value.IsEmpty
                ? Empty
                : (value.LowerBoundIsInclusive ? LowerInclusive : 0) | (value.UpperBoundIsInclusive ? UpperInclusive : 0)
                    | (value.LowerBoundInfinite ? LowerInfinite : 0) | (value.UpperBoundInfinite ? UpperInfinite : 0);
            writer.Byte((byte)flags);
            if ((flags & (Empty | LowerInfinite)) == 0)
            {
                bounds.Write(writer, [value.LowerBound!]);
            }

            if ((flags & (Empty | UpperInfinite)) == 0)
            {
                bounds.Write(writer, [value.UpperBound!]);
            }
        }
    }

    /// <inheritdoc />
    public override void Read(ref PayloadReader reader, Span<NpgsqlRange<T>> values)
    {
        Span<T> bound = new T[1];
        for (var i = 0; i < values.Length && !reader.IsDamaged; i++)
        {
            int flags = reader.Byte();
            if ((flags & Unknown) != 0 || ((flags & Empty) != 0 && flags != Empty))
            {
                reader.Damage();
                return;
            }

            if (flags == Empty)
            {
                values[i] = NpgsqlRange<T>.Empty;
                continue;
            }

            var lower = ReadBound(ref reader, bound, (flags & LowerInfinite) != 0);
            var upper = ReadBound(ref reader, bound, (flags & UpperInfinite) != 0);
            values[i] = new NpgsqlRange<T>(
                lower, (flags & LowerInclusive) != 0, (flags & LowerInfinite) != 0, upper, (flags & UpperInclusive) != 0, (flags & UpperInfinite) != 0);
        }
    }

    /// <inheritdoc />
    public override int Measure(NpgsqlRange<T> value) =>
        (value.LowerBound is { } lower ? bounds.Measure(lower) : 0) + (value.UpperBound is { } upper ? bounds.Measure(upper) : 0);

    /// <inheritdoc />
    public override bool CanKeep(NpgsqlRange<T> value) =>
        (value.LowerBound is not { } lower || bounds.CanKeep(lower)) && (value.UpperBound is not { } upper || bounds.CanKeep(upper));

    private T? ReadBound(ref PayloadReader reader, Span<T> bound, bool isInfinite)
    {
        if (isInfinite)
        {
            return default;
        }

        bounds.Read(ref reader, bound);
        return bound[0];
    }
}
