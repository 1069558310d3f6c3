using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace EfScaling.Caching.Rows.Codecs;

/// <summary>Writes whole numbers as they are in memory, or as the steps between them where that is shorter.</summary>
internal sealed class IntegerCodec<T>(CodecId id) : ValueCodec<T>(id)
    where T : unmanaged, IBinaryInteger<T>
{
    private const byte Plain = 0;
    private const byte Steps = 1;

    /// <inheritdoc />
    public override void Write(PayloadWriter writer, ReadOnlySpan<T> values)
    {
        var start = writer.Length;
        var limit = start + 1 + (values.Length * Unsafe.SizeOf<T>());
        if (Unsafe.SizeOf<T>() > 1)
        {
            writer.Byte(Steps);
            var previous = 0L;
            foreach (var value in values)
            {
                var current = long.CreateTruncating(value);
                writer.Zigzag(unchecked(current - previous));
                previous = current;
                if (writer.Length > limit)
                {
                    break;
                }
            }

            if (writer.Length < limit)
            {
                return;
            }

            writer.Length = start;
        }

        writer.Byte(Plain);
        writer.Bytes(MemoryMarshal.AsBytes(values));
    }

    /// <inheritdoc />
    public override void Read(ref PayloadReader reader, Span<T> values)
    {
        switch (reader.Byte())
        {
            case Plain:
                reader.CopyTo(MemoryMarshal.AsBytes(values));
                break;
            case Steps:
                var current = 0L;
                for (var i = 0; i < values.Length; i++)
                {
                    current = unchecked(current + reader.Zigzag());
                    values[i] = T.CreateTruncating(current);
                }

                break;
            default:
                reader.Damage();
                break;
        }
    }
}
