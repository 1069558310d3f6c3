using System.Collections;
using System.Collections.Immutable;
using System.Net;
using System.Net.NetworkInformation;
using System.Numerics;
using System.Text.Json;

namespace EfScaling.Caching.Rows.Codecs;

/// <summary>The codecs of the runtime's types.</summary>
internal static class BuiltInCodecs
{
    private const int ObjectSize = 24;
    private const int KindShift = 62;

    /// <summary>All of them, one a type.</summary>
    public static readonly RowCodec[] All =
    [
        new BooleanCodec(),
        new IntegerCodec<byte>(CodecId.Byte),
        new IntegerCodec<sbyte>(CodecId.SByte),
        new IntegerCodec<short>(CodecId.Int16),
        new IntegerCodec<ushort>(CodecId.UInt16),
        new IntegerCodec<int>(CodecId.Int32),
        new IntegerCodec<uint>(CodecId.UInt32),
        new IntegerCodec<long>(CodecId.Int64),
        new IntegerCodec<ulong>(CodecId.UInt64),
        new IntegerCodec<char>(CodecId.Char),
        new BitsCodec<float>(CodecId.Single),
        new BitsCodec<double>(CodecId.Double),
        new BitsCodec<Guid>(CodecId.Guid),
        new DecimalCodec(),
        new StringCodec(),

        // The kind is in the two highest bits, which no number of ticks uses. Local time is another time on the next machine.
        new EachCodec<DateTime>(
            CodecId.DateTime,
            static (w, v) => w.Fixed(v.Ticks | ((long)v.Kind << KindShift)),
            static (ref r) => ReadDateTime(ref r),
            canKeep: static v => v.Kind != DateTimeKind.Local),
        new EachCodec<DateTimeOffset>(
            CodecId.DateTimeOffset,
            static (w, v) =>
            {
                w.Fixed(v.Ticks);
                w.Zigzag(v.TotalOffsetMinutes);
            },
            static (ref r) => new DateTimeOffset(r.Fixed(), TimeSpan.FromMinutes(r.Zigzag()))),
        new EachCodec<DateOnly>(CodecId.DateOnly, static (w, v) => w.Varint((uint)v.DayNumber), static (ref r) => DateOnly.FromDayNumber(checked((int)r.Varint()))),
        new EachCodec<TimeOnly>(CodecId.TimeOnly, static (w, v) => w.Varint((ulong)v.Ticks), static (ref r) => new TimeOnly(checked((long)r.Varint()))),
        new EachCodec<TimeSpan>(CodecId.TimeSpan, static (w, v) => w.Zigzag(v.Ticks), static (ref r) => new TimeSpan(r.Zigzag())),
        new EachCodec<BigInteger>(
            CodecId.BigInteger, static (w, v) => w.Block(v.ToByteArray()), static (ref r) => new BigInteger(r.Block()), measure: static v => ObjectSize + v.GetByteCount()),
        new EachCodec<byte[]>(
            CodecId.Bytes, static (w, v) => w.Block(v), static (ref r) => r.Block().ToArray(), static v => v.AsSpan().ToArray(), static v => ObjectSize + v.Length),
        new StreamCodec(),
        new EachCodec<JsonDocument>(
            CodecId.JsonDocument,
            static (w, v) => w.Block(JsonBytes.Of(v.RootElement)),
            static (ref r) => JsonBytes.ReadDocument(ref r),
            static v => JsonDocument.Parse(JsonBytes.Of(v.RootElement).ToArray()),
            static v => JsonBytes.MemoryOf(v.RootElement)),
        new EachCodec<JsonElement>(
            CodecId.JsonElement,
            static (w, v) => w.Block(JsonBytes.Of(v)),
            static (ref r) => JsonBytes.ReadElement(ref r),
            static v => JsonBytes.Parse(JsonBytes.Of(v)),
            JsonBytes.MemoryOf),
        new EachCodec<BitArray>(CodecId.BitArray, WriteBits, static (ref r) => ReadBits(ref r), static v => new BitArray(v), static v => 56 + (v.Count / 8)),
        new EachCodec<IPAddress>(CodecId.IPAddress, NetworkBytes.Write, static (ref r) => NetworkBytes.Read(ref r), NetworkBytes.Copy, NetworkBytes.MemoryOf),
        new EachCodec<IPNetwork>(
            CodecId.IPNetwork,
            static (w, v) =>
            {
                NetworkBytes.Write(w, v.BaseAddress);
                w.Byte((byte)v.PrefixLength);
            },
            static (ref r) => new IPNetwork(NetworkBytes.Read(ref r), r.Byte()),
            static v => new IPNetwork(NetworkBytes.Copy(v.BaseAddress), v.PrefixLength),
            static v => NetworkBytes.MemoryOf(v.BaseAddress)),
        new EachCodec<PhysicalAddress>(
            CodecId.PhysicalAddress, static (w, v) => w.Block(v.GetAddressBytes()), static (ref r) => new PhysicalAddress(r.Block().ToArray()), measure: static _ => 2 * ObjectSize),
        new EachCodec<Dictionary<string, string?>>(
            CodecId.Dictionary, static (w, v) => WriteTexts(w, v.Count, v), static (ref r) => new Dictionary<string, string?>(ReadTexts(ref r)), static v => new(v), MemoryOf),
        new EachCodec<ImmutableDictionary<string, string?>>(
            CodecId.ImmutableDictionary, static (w, v) => WriteTexts(w, v.Count, v), static (ref r) => ImmutableDictionary.CreateRange(ReadTexts(ref r)), measure: MemoryOf),
    ];

    private static DateTime ReadDateTime(ref PayloadReader reader)
    {
        var bits = reader.Fixed();
        return new DateTime(bits & ((1L << KindShift) - 1), (DateTimeKind)((ulong)bits >> KindShift));
    }

    private static void WriteBits(PayloadWriter writer, BitArray value)
    {
        writer.Varint((uint)value.Count);
        var bytes = new byte[(value.Count + 7) / 8];
        value.CopyTo(bytes, 0);
        writer.Bytes(bytes);
    }

    private static BitArray ReadBits(ref PayloadReader reader)
    {
        var count = reader.Count(8);
        return new BitArray(reader.Bytes((count + 7) / 8).ToArray()) { Length = reader.IsDamaged ? 0 : count };
    }

    private static void WriteTexts(PayloadWriter writer, int count, IEnumerable<KeyValuePair<string, string?>> texts)
    {
        writer.Varint((uint)count);
        foreach (var (key, value) in texts)
        {
            writer.Text(key);
            writer.Byte(value is null ? (byte)0 : (byte)1);
            if (value is not null)
            {
                writer.Text(value);
            }
        }
    }

    private static List<KeyValuePair<string, string?>> ReadTexts(ref PayloadReader reader)
    {
        var texts = new List<KeyValuePair<string, string?>>(reader.Count());
        for (var left = texts.Capacity; left > 0 && !reader.IsDamaged; left--)
        {
            texts.Add(new(reader.Text(), reader.Flag() ? reader.Text() : null));
        }

        return texts;
    }

    private static int MemoryOf(IReadOnlyDictionary<string, string?> texts)
    {
        var size = 80;
        foreach (var (key, value) in texts)
        {
            size += 56 + StringCodec.MemoryOf(key) + (value is null ? 0 : StringCodec.MemoryOf(value));
        }

        return size;
    }
}
