namespace EfScaling.Caching.Rows.Codecs;

/// <summary>Writes eight values a byte, the first in the lowest bit.</summary>
internal sealed class BooleanCodec() : ValueCodec<bool>(CodecId.Boolean)
{
    /// <inheritdoc />
    public override int ValuesPerByte => 8;

    /// <inheritdoc />
    public override void Write(PayloadWriter writer, ReadOnlySpan<bool> values)
    {
        for (var i = 0; i < values.Length; i += 8)
        {
            var bits = 0;
            for (var j = 0; j < 8 && i + j < values.Length; j++)
            {
                bits |= values[i + j] ? 1 << j : 0;
            }

            writer.Byte((byte)bits);
        }
    }

    /// <inheritdoc />
    public override void Read(ref PayloadReader reader, Span<bool> values)
    {
        var bytes = reader.Bytes((values.Length + 7) / 8);
        if (reader.IsDamaged)
        {
            return;
        }

        for (var i = 0; i < values.Length; i++)
        {
            values[i] = (bytes[i / 8] & (1 << (i % 8))) != 0;
        }
    }
}
