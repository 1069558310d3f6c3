using NpgsqlTypes;

namespace EfScaling.Caching.Rows.Codecs;

/// <summary>The codecs of the provider's own value types.</summary>
/// <remarks>Written member by member: how they lie in memory is the provider's to change.</remarks>
internal static class NpgsqlCodecs
{
    /// <summary>All of them, one a type.</summary>
    public static readonly RowCodec[] All =
    [
        new EachCodec<NpgsqlInterval>(
            CodecId.Interval,
            static (w, v) =>
            {
                w.Zigzag(v.Months);
                w.Zigzag(v.Days);
                w.Zigzag(v.Time);
            },
            static (ref r) => new NpgsqlInterval(checked((int)r.Zigzag()), checked((int)r.Zigzag()), r.Zigzag())),
        new EachCodec<NpgsqlInet>(
            CodecId.Inet,
            static (w, v) =>
            {
                NetworkBytes.Write(w, v.Address);
                w.Byte(v.Netmask);
            },
            static (ref r) => new NpgsqlInet(NetworkBytes.Read(ref r), r.Byte()),
            static v => new NpgsqlInet(NetworkBytes.Copy(v.Address), v.Netmask),
            static v => NetworkBytes.MemoryOf(v.Address)),
#pragma warning disable CS0618 // Obsolete, but still mapped.
        new EachCodec<NpgsqlCidr>(
            CodecId.Cidr,
            static (w, v) =>
            {
                NetworkBytes.Write(w, v.Address);
                w.Byte(v.Netmask);
            },
            static (ref r) => new NpgsqlCidr(NetworkBytes.Read(ref r), r.Byte()),
            static v => new NpgsqlCidr(NetworkBytes.Copy(v.Address), v.Netmask),
            static v => NetworkBytes.MemoryOf(v.Address)),
#pragma warning restore CS0618
        new EachCodec<NpgsqlLogSequenceNumber>(
            CodecId.LogSequenceNumber, static (w, v) => w.Varint((ulong)v), static (ref r) => new NpgsqlLogSequenceNumber(r.Varint())),
        new EachCodec<NpgsqlTid>(
            CodecId.Tid,
            static (w, v) =>
            {
                w.Varint(v.BlockNumber);
                w.Varint(v.OffsetNumber);
            },
            static (ref r) => new NpgsqlTid(checked((uint)r.Varint()), checked((ushort)r.Varint()))),
        new EachCodec<NpgsqlPoint>(CodecId.Point, WritePoint, static (ref r) => ReadPoint(ref r)),
        new EachCodec<NpgsqlBox>(
            CodecId.Box,
            static (w, v) =>
            {
                WritePoint(w, v.UpperRight);
                WritePoint(w, v.LowerLeft);
            },
            static (ref r) => new NpgsqlBox(ReadPoint(ref r), ReadPoint(ref r))),
        new EachCodec<NpgsqlLine>(
            CodecId.Line,
            static (w, v) =>
            {
                WriteNumber(w, v.A);
                WriteNumber(w, v.B);
                WriteNumber(w, v.C);
            },
            static (ref r) => new NpgsqlLine(ReadNumber(ref r), ReadNumber(ref r), ReadNumber(ref r))),
        new EachCodec<NpgsqlLSeg>(
            CodecId.LineSegment,
            static (w, v) =>
            {
                WritePoint(w, v.Start);
                WritePoint(w, v.End);
            },
            static (ref r) => new NpgsqlLSeg(ReadPoint(ref r), ReadPoint(ref r))),
        new EachCodec<NpgsqlPath>(
            CodecId.Path,
            static (w, v) =>
            {
                w.Byte(v.Open ? (byte)1 : (byte)0);
                WritePoints(w, v.Count, v);
            },
            static (ref r) =>
            {
                var open = r.Flag();
                return new NpgsqlPath(ReadPoints(ref r), open);
            },
            static v => new NpgsqlPath(v, v.Open),
            static v => 56 + (16 * v.Count)),
        new EachCodec<NpgsqlPolygon>(
            CodecId.Polygon,
            static (w, v) => WritePoints(w, v.Count, v),
            static (ref r) => new NpgsqlPolygon(ReadPoints(ref r)),
            static v => new NpgsqlPolygon((IEnumerable<NpgsqlPoint>)v),
            static v => 56 + (16 * v.Count)),
        new EachCodec<NpgsqlCircle>(
            CodecId.Circle,
            static (w, v) =>
            {
                WriteNumber(w, v.X);
                WriteNumber(w, v.Y);
                WriteNumber(w, v.Radius);
            },
            static (ref r) => new NpgsqlCircle(ReadNumber(ref r), ReadNumber(ref r), ReadNumber(ref r))),
        new EachCodec<NpgsqlCube>(CodecId.Cube, WriteCube, static (ref r) => ReadCube(ref r), measure: static v => 48 + (16 * v.Dimensions)),
        new EachCodec<NpgsqlTsVector>(
            CodecId.TsVector, TextSearchBytes.Write, static (ref r) => TextSearchBytes.ReadVector(ref r), measure: TextSearchBytes.MemoryOf, canKeep: TextSearchBytes.CanKeep),
        new EachCodec<NpgsqlTsQuery>(
            CodecId.TsQuery, TextSearchBytes.Write, static (ref r) => TextSearchBytes.ReadQuery(ref r), TextSearchBytes.Copy, TextSearchBytes.MemoryOf, TextSearchBytes.CanKeep),
    ];

    private static void WriteNumber(PayloadWriter writer, double value) => writer.Fixed(BitConverter.DoubleToInt64Bits(value));

    private static double ReadNumber(ref PayloadReader reader) => BitConverter.Int64BitsToDouble(reader.Fixed());

    private static void WritePoint(PayloadWriter writer, NpgsqlPoint value)
    {
        WriteNumber(writer, value.X);
        WriteNumber(writer, value.Y);
    }

    private static NpgsqlPoint ReadPoint(ref PayloadReader reader) => new(ReadNumber(ref reader), ReadNumber(ref reader));

    private static void WritePoints(PayloadWriter writer, int count, IEnumerable<NpgsqlPoint> points)
    {
        writer.Varint((uint)count);
        foreach (var point in points)
        {
            WritePoint(writer, point);
        }
    }

    private static NpgsqlPoint[] ReadPoints(ref PayloadReader reader)
    {
        var points = new NpgsqlPoint[reader.Count()];
        for (var i = 0; i < points.Length && !reader.IsDamaged; i++)
        {
            points[i] = ReadPoint(ref reader);
        }

        return points;
    }

    private static void WriteCube(PayloadWriter writer, NpgsqlCube value)
    {
        writer.Byte(value.IsPoint ? (byte)1 : (byte)0);
        writer.Varint((uint)value.Dimensions);
        foreach (var number in value.IsPoint ? value.LowerLeft : value.LowerLeft.Concat(value.UpperRight))
        {
            WriteNumber(writer, number);
        }
    }

    private static NpgsqlCube ReadCube(ref PayloadReader reader)
    {
        var isPoint = reader.Flag();
        var dimensions = reader.Count();
        var lower = ReadNumbers(ref reader, dimensions);
        return isPoint ? new NpgsqlCube(lower) : new NpgsqlCube(lower, ReadNumbers(ref reader, dimensions));
    }

    private static double[] ReadNumbers(ref PayloadReader reader, int count)
    {
        var numbers = new double[reader.IsDamaged ? 0 : count];
        for (var i = 0; i < numbers.Length && !reader.IsDamaged; i++)
        {
            numbers[i] = ReadNumber(ref reader);
        }

        return numbers;
    }
}
