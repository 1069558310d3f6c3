using System.Text;

namespace EfScaling.Caching.Rows.Codecs;

/// <summary>Writes texts as UTF-8, one after the other, or each different one once where few differ.</summary>
internal sealed class StringCodec() : ValueCodec<string>(CodecId.String)
{
    private const byte Utf8 = 0;
    private const byte Any = 1;
    private const byte Distinct = 2;
    private const int MaxDistinct = byte.MaxValue;
    private const int FewestForDistinct = 8;

    /// <summary>Gets the memory of a text: header, length and terminator, and two bytes a character.</summary>
    public static int MemoryOf(string value) => 24 + (2 * value.Length);

    /// <inheritdoc />
    public override int Measure(string value) => MemoryOf(value);

    /// <inheritdoc />
    public override void Write(PayloadWriter writer, ReadOnlySpan<string> values)
    {
        var start = writer.Length;
        if (TryDistinct(writer, values))
        {
            return;
        }

        writer.Length = start;
        writer.Byte(Utf8);
        foreach (var value in values)
        {
            if (!writer.TryText(value))
            {
                writer.Length = start;
                WriteAny(writer, values);
                return;
            }
        }
    }

    /// <inheritdoc />
    public override void Read(ref PayloadReader reader, Span<string> values)
    {
        switch (reader.Byte())
        {
            case Utf8:
                ReadUtf8(ref reader, values);
                break;
            case Any:
                for (var i = 0; i < values.Length && !reader.IsDamaged; i++)
                {
                    values[i] = reader.Text();
                }

                break;
            case Distinct:
                ReadDistinct(ref reader, values);
                break;
            default:
                reader.Damage();
                break;
        }
    }

    private static bool TryDistinct(PayloadWriter writer, ReadOnlySpan<string> values)
    {
        if (values.Length < FewestForDistinct)
        {
            return false;
        }

        var most = Math.Min(MaxDistinct, values.Length / 2);
        var places = new Dictionary<string, byte>(StringComparer.Ordinal);
        foreach (var value in values)
        {
            if (!places.ContainsKey(value))
            {
                if (places.Count == most)
                {
                    return false;
                }

                places.Add(value, (byte)places.Count);
            }
        }

        writer.Byte(Distinct);
        writer.Byte((byte)places.Count);
        foreach (var value in places.Keys)
        {
            if (!writer.TryText(value))
            {
                return false;
            }
        }

        foreach (var value in values)
        {
            writer.Byte(places[value]);
        }

        return true;
    }

    private static void WriteAny(PayloadWriter writer, ReadOnlySpan<string> values)
    {
        writer.Byte(Any);
        foreach (var value in values)
        {
            writer.Text(value);
        }
    }

    private static void ReadUtf8(ref PayloadReader reader, Span<string> values)
    {
        for (var i = 0; i < values.Length && !reader.IsDamaged; i++)
        {
            values[i] = Encoding.UTF8.GetString(reader.Block());
        }
    }

    private static void ReadDistinct(ref PayloadReader reader, Span<string> values)
    {
        var different = new string[reader.Byte()];
        ReadUtf8(ref reader, different);
        var places = reader.Bytes(values.Length);
        if (reader.IsDamaged)
        {
            return;
        }

        for (var i = 0; i < values.Length; i++)
        {
            if (places[i] >= different.Length)
            {
                reader.Damage();
                return;
            }

            values[i] = different[places[i]];
        }
    }
}
