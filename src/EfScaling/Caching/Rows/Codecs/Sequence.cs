using System.Runtime.InteropServices;

namespace EfScaling.Caching.Rows.Codecs;

/// <summary>Writes the elements of one collection: which are null, if the type has nulls, then the others.</summary>
internal static class Sequence
{
    /// <summary>Writes the number of the elements, and the elements.</summary>
    public static void Write<T>(PayloadWriter writer, ValueCodec<T> codec, ReadOnlySpan<T> values)
    {
        writer.Varint((uint)values.Length);
        if (values.IsEmpty)
        {
            return;
        }

        if (default(T) is not null)
        {
            codec.Write(writer, values);
            return;
        }

        ulong[]? nulls = null;
        var present = new List<T>(values.Length);
        for (var i = 0; i < values.Length; i++)
        {
            if (values[i] is null)
            {
                Nulls.Add(ref nulls, i);
            }
            else
            {
                present.Add(values[i]);
            }
        }

        if (nulls is not null)
        {
            Array.Resize(ref nulls, (values.Length + 63) / 64);
        }

        Nulls.Write(writer, nulls, values.Length);
        if (present.Count > 0)
        {
            codec.Write(writer, CollectionsMarshal.AsSpan(present));
        }
    }

    /// <summary>Reads what <see cref="Write"/> wrote; empty if the reader is damaged.</summary>
    public static T[] Read<T>(ref PayloadReader reader, ValueCodec<T> codec)
    {
        // A bit is the least that an element takes: the one that says that it is null.
        var count = reader.Count(8);
        if (count == 0)
        {
            return [];
        }

        if (default(T) is not null)
        {
            return ReadPresent(ref reader, codec, count, count);
        }

        var nulls = Nulls.Read(ref reader, count, out var present);
        if (reader.IsDamaged)
        {
            return [];
        }

        if (present == 0)
        {
            return new T[count];
        }

        var values = ReadPresent(ref reader, codec, count, present);
        if (nulls is not null && !reader.IsDamaged)
        {
            Nulls.Spread(values, present, nulls);
        }

        return values;
    }

    private static T[] ReadPresent<T>(ref PayloadReader reader, ValueCodec<T> codec, int count, int present)
    {
        if (present > (long)reader.Left * codec.ValuesPerByte)
        {
            reader.Damage();
            return [];
        }

        var values = new T[count];
        codec.Read(ref reader, values.AsSpan(0, present));
        return values;
    }
}
