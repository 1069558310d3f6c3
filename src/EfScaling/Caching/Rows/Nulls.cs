using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace EfScaling.Caching.Rows;

/// <summary>Which values of a sequence are null.</summary>
/// <remarks>
/// In a payload: a byte <c>0</c> none, <c>2</c> all of at most 8, or <c>1</c> and one bit a value, the first in the lowest bit, unused bits zero.
/// In memory: <see langword="null"/> none, no words at all means all, else one bit a value.
/// </remarks>
internal static class Nulls
{
    /// <summary>Every value is null.</summary>
    public static readonly ulong[] All = [];

    private const byte None = 0;
    private const byte Some = 1;
    private const byte Each = 2;

    // Of more values all being null is written in bits, too: a few damaged bytes must not stand for billions of rows.
    private const int MostForEach = 8;

    /// <summary>Gets whether a value is null.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Contains(ulong[]? nulls, int index) =>
        nulls is not null && (nulls.Length == 0 || (nulls[index >> 6] & (1UL << (index & 63))) != 0);

    /// <summary>Adds a value.</summary>
    public static void Add(ref ulong[]? nulls, int index)
    {
        var words = nulls ?? [];
        if (words.Length <= index >> 6)
        {
            Array.Resize(ref words, Math.Max((index >> 6) + 1, words.Length * 2));
        }

        words[index >> 6] |= 1UL << (index & 63);
        nulls = words;
    }

    /// <summary>Writes which of the first values are null.</summary>
    public static void Write(PayloadWriter writer, ulong[]? nulls, int count)
    {
        if (nulls is null)
        {
            writer.Byte(None);
            return;
        }

        if (nulls.Length == 0 && count <= MostForEach)
        {
            writer.Byte(Each);
            return;
        }

        if (nulls.Length == 0)
        {
            nulls = new ulong[(count + 63) / 64];
            nulls.AsSpan().Fill(ulong.MaxValue);
            nulls[^1] >>= -count & 63;
        }

        writer.Byte(Some);
        writer.Bytes(MemoryMarshal.AsBytes(nulls.AsSpan())[..((count + 7) / 8)]);
    }

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <param name="reader">The payload.</param>
    /// <param name="count">How many values there are.</param>
    /// <param name="present">How many of them are not null.</param>
    public static ulong[]? Read(ref PayloadReader reader, int count, out int present)
    {
        present = count;
        switch (reader.Byte())
        {
            case None:
                return null;
            case Each when count <= MostForEach:
                present = 0;
                return All;
            case Some:
                break;
            default:
                reader.Damage();
                return null;
        }

        var bits = reader.Bytes((int)(((uint)count + 7) / 8));
        if (reader.IsDamaged || count == 0)
        {
            reader.Damage();
            return null;
        }

        var nulls = new ulong[(count + 63) / 64];
        bits.CopyTo(MemoryMarshal.AsBytes(nulls.AsSpan()));
        foreach (var word in nulls)
        {
            present -= BitOperations.PopCount(word);
        }

        // Bits beyond the last value would make fewer values than there are places.
        if ((count & 63) != 0 && nulls[^1] >> (count & 63) != 0)
        {
            reader.Damage();
        }

        return present == 0 ? All : nulls;
    }

    /// <summary>Moves the values at the front to their places among the nulls.</summary>
    public static void Spread<T>(Span<T> values, int present, ulong[] nulls)
    {
        for (var i = values.Length - 1; i >= 0; i--)
        {
            values[i] = Contains(nulls, i) ? default! : values[--present];
        }
    }
}
