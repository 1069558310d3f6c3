using System.Runtime.InteropServices;

namespace EfScaling.Caching.Rows.Codecs;

/// <summary>Writes scale, sign and digits; the scale is part of the value: 1.10 is not 1.1.</summary>
/// <remarks>First byte: bits 0 to 4 the scale, bit 7 the sign, bit 6 whether more than 64 bits of digits follow. Then the digits, and the four bytes above them.</remarks>
internal sealed class DecimalCodec() : ValueCodec<decimal>(CodecId.Decimal)
{
    private const int Negative = 0x80;
    private const int Wide = 0x40;
    private const int Scale = 0x1F;
    private const int MaxScale = 28;

    /// <inheritdoc />
    public override void Write(PayloadWriter writer, ReadOnlySpan<decimal> values)
    {
        Span<int> bits = stackalloc int[4];
        foreach (var value in values)
        {
            decimal.GetBits(value, bits);
            var first = ((bits[3] >> 16) & Scale) | (bits[3] < 0 ? Negative : 0) | (bits[2] != 0 ? Wide : 0);
            writer.Byte((byte)first);
            writer.Varint(((ulong)(uint)bits[1] << 32) | (uint)bits[0]);
            if (bits[2] != 0)
            {
                writer.Bytes(MemoryMarshal.AsBytes(bits.Slice(2, 1)));
            }
        }
    }

    /// <inheritdoc />
    public override void Read(ref PayloadReader reader, Span<decimal> values)
    {
        Span<int> high = stackalloc int[1];
        for (var i = 0; i < values.Length; i++)
        {
            var first = reader.Byte();
            var digits = reader.Varint();
            high[0] = 0;
            if ((first & Wide) != 0)
            {
                reader.CopyTo(MemoryMarshal.AsBytes(high));
            }

            if ((first & Scale) > MaxScale || (first & 0x20) != 0)
            {
                reader.Damage();
                return;
            }

            values[i] = new decimal((int)digits, (int)(digits >> 32), high[0], (first & Negative) != 0, (byte)(first & Scale));
        }
    }
}
