using System.Collections;
using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Net.NetworkInformation;
using System.Numerics;
using System.Text.Json;
using EfScaling.Caching.Rows;
using NpgsqlTypes;

namespace EfScaling.Tests.Caching.Rows;

/// <summary>A type that EF may read, and values at its edges.</summary>
internal sealed record TypeCase(string StoreType, Type ClrType, params object?[] Values)
{
    private static readonly NpgsqlPoint[] _points = [new(1.5, -2), new(double.NaN, double.PositiveInfinity), new(-0.0, 1e300)];

    public static readonly TypeCase[] All =
    [
        new("boolean", typeof(bool), true, false, true, true, false, false, true, false, true),
        new("smallint", typeof(byte), (byte)0, (byte)255),
        new("smallint", typeof(sbyte), (sbyte)-128, (sbyte)127),
        new("smallint", typeof(short), short.MinValue, (short)-1, (short)0, short.MaxValue),
        new("integer", typeof(ushort), ushort.MinValue, ushort.MaxValue, (ushort)7),
        new("integer", typeof(int), int.MinValue, -1, 0, 1, int.MaxValue, int.MinValue),
        new("integer", typeof(int), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
        new("bigint", typeof(long), long.MinValue, long.MaxValue, 0L, -1L),
        new("bigint", typeof(long), 1_000_000_000_000L, 1_000_000_000_001L, 999_999_999_999L),
        new("oid", typeof(uint), 0u, uint.MaxValue, 7u),
        new("xid8", typeof(ulong), 0ul, ulong.MaxValue, 1ul << 63),
        new("real", typeof(float), 0f, -0f, float.NaN, BitConverter.Int32BitsToSingle(0x7FC00001), float.Epsilon, float.NegativeInfinity),
        new("double precision", typeof(double), 0d, -0d, double.NaN, BitConverter.Int64BitsToDouble(0x7FF8000000000001), double.MaxValue, double.NegativeInfinity),
        new("numeric", typeof(decimal), 1.10m, 1.1m, 0m, -0.00m, decimal.MaxValue, decimal.MinValue, 0.0000000000000000000000000001m, new decimal(0, 0, 0, true, 28), 18446744073709551616m),
        new("character(1)", typeof(char), 'a', '\0', '\uFFFF', 'ß'),
        new("text", typeof(string), "", "a", "{}", "naïve – 漢字 🚀", "\0", new string('x', 5000), "\uD800 alone"),
        new("text", typeof(string), "open", "closed", "open", "open", "closed", "", "open", "open", "closed", "open"),
        new("uuid", typeof(Guid), Guid.Empty, Guid.Parse("00112233-4455-6677-8899-aabbccddeeff")),
        new("timestamp with time zone", typeof(DateTime), DateTime.MinValue, DateTime.MaxValue, new DateTime(2024, 2, 29, 12, 0, 0, DateTimeKind.Utc).AddTicks(1), DateTime.SpecifyKind(DateTime.MaxValue, DateTimeKind.Utc)),
        new("timestamp with time zone", typeof(DateTimeOffset), DateTimeOffset.MinValue, DateTimeOffset.MaxValue, new DateTimeOffset(2024, 1, 2, 3, 4, 5, TimeSpan.FromMinutes(-210))),
        new("date", typeof(DateOnly), DateOnly.MinValue, DateOnly.MaxValue, new DateOnly(2024, 2, 29)),
        new("time without time zone", typeof(TimeOnly), TimeOnly.MinValue, TimeOnly.MaxValue, new TimeOnly(1, 2, 3, 4, 5)),
        new("interval", typeof(TimeSpan), TimeSpan.MinValue, TimeSpan.MaxValue, TimeSpan.Zero, TimeSpan.FromMicroseconds(-1)),
        new("interval", typeof(NpgsqlInterval), new NpgsqlInterval(0, 0, 0), new NpgsqlInterval(int.MinValue, int.MaxValue, long.MinValue), new NpgsqlInterval(1, -2, 3)),
        new("numeric", typeof(BigInteger), BigInteger.Zero, BigInteger.Pow(-3, 999), new BigInteger(ulong.MaxValue)),
        new("bytea", typeof(byte[]), Array.Empty<byte>(), new byte[] { 0, 1, 255 }, new byte[10_000]),
        new("bytea", typeof(Stream), new MemoryStream([]), new MemoryStream([1, 2, 3])),
        new("jsonb", typeof(JsonDocument), JsonDocument.Parse("{\"a\": [1, 2.50, null]}"), JsonDocument.Parse("null"), JsonDocument.Parse("\"é\"")),
        new("json", typeof(JsonElement), JsonDocument.Parse("{ \"a\" : 1 }").RootElement, JsonDocument.Parse("[]").RootElement),
        new("bit varying", typeof(BitArray), new BitArray(0), new BitArray([true, false, true]), new BitArray(64, true), new BitArray(65)),
        new("inet", typeof(IPAddress), IPAddress.Any, IPAddress.IPv6Loopback, IPAddress.Parse("fe80::1%3"), IPAddress.Parse("10.0.0.7")),
        new("cidr", typeof(IPNetwork), IPNetwork.Parse("10.0.0.0/8"), IPNetwork.Parse("::/0"), IPNetwork.Parse("2001:db8::/32")),
        new("inet", typeof(NpgsqlInet), new NpgsqlInet("10.0.0.7/8"), new NpgsqlInet("::1")),
#pragma warning disable CS0618 // Obsolete, but still mapped.
        new("cidr", typeof(NpgsqlCidr), new NpgsqlCidr("10.0.0.0/8"), new NpgsqlCidr("::/0")),
#pragma warning restore CS0618
        new("macaddr", typeof(PhysicalAddress), PhysicalAddress.Parse("08-00-2B-01-02-03"), PhysicalAddress.Parse("08-00-2B-01-02-03-04-05")),
        new("hstore", typeof(Dictionary<string, string?>), new Dictionary<string, string?>(), new Dictionary<string, string?> { ["b"] = null, ["a"] = "", [""] = "x" }),
        new("hstore", typeof(ImmutableDictionary<string, string?>), ImmutableDictionary<string, string?>.Empty, ImmutableDictionary<string, string?>.Empty.Add("k", null)),
        new("pg_lsn", typeof(NpgsqlLogSequenceNumber), new NpgsqlLogSequenceNumber(0), new NpgsqlLogSequenceNumber(ulong.MaxValue)),
        new("tid", typeof(NpgsqlTid), new NpgsqlTid(0, 0), new NpgsqlTid(uint.MaxValue, ushort.MaxValue)),
        new("point", typeof(NpgsqlPoint), [.. _points.Cast<object?>()]),
        new("box", typeof(NpgsqlBox), new NpgsqlBox(2, 1, -2, -1), new NpgsqlBox(_points[0], _points[2])),
        new("line", typeof(NpgsqlLine), new NpgsqlLine(1, -1, 0.5)),
        new("lseg", typeof(NpgsqlLSeg), new NpgsqlLSeg(_points[0], _points[1])),
        new("path", typeof(NpgsqlPath), new NpgsqlPath(_points, true), new NpgsqlPath(_points, false)),
        new("polygon", typeof(NpgsqlPolygon), new NpgsqlPolygon(_points)),
        new("circle", typeof(NpgsqlCircle), new NpgsqlCircle(1, 2, 3.5)),
        new("cube", typeof(NpgsqlCube), new NpgsqlCube([1.0, 2.0]), new NpgsqlCube([1.0, 2.0], [-1.0, 3.0]), new NpgsqlCube(Array.Empty<double>())),
        new("tsvector", typeof(NpgsqlTsVector), NpgsqlTsVector.Empty, Vector("'a':1A,2 'fat':3 'it''s' 'x\\\\y':16383C")),
        new("tsquery", typeof(NpgsqlTsQuery), new NpgsqlTsQueryEmpty(), Query("!fat:*AB & (cat <3> 'it''s' | dog)")),
        new("mood", typeof(Mood), Mood.Sad, Mood.Happy, (Mood)200),
        new("integer[]", typeof(int[]), Array.Empty<int>(), new[] { 1, 2, 3 }, new[] { int.MaxValue, int.MinValue }),
        new("integer[]", typeof(int?[]), Array.Empty<int?>(), new int?[] { 1, null, 3 }, new int?[] { null }, new int?[20]),
        new("integer[]", typeof(List<int>), new List<int>(), new List<int> { 5 }),
        new("integer[]", typeof(List<int?>), new List<int?> { null, 5, null }),
        new("text[]", typeof(string[]), Array.Empty<string>(), new[] { "a", null, "" }, new string?[9]),
        new("text[]", typeof(List<string>), new List<string> { "a", "b" }),
        new("boolean[]", typeof(bool?[]), new bool?[] { true, null, false }),
        new("numeric[]", typeof(decimal[]), new[] { 1.10m, -3m }),
        new("timestamp with time zone[]", typeof(DateTime[]), new[] { DateTime.UnixEpoch }),
        new("bytea[]", typeof(byte[][]), new byte[][] { [1], [], [2, 3] }, new byte[]?[] { null, [9] }),
        new("jsonb[]", typeof(JsonDocument[]), new object?[] { new[] { JsonDocument.Parse("{}"), null } }),
        new("inet[]", typeof(IPAddress[]), new object?[] { new[] { IPAddress.Loopback, null } }),
        new("hstore[]", typeof(Dictionary<string, string?>[]), new object?[] { new[] { new Dictionary<string, string?> { ["a"] = "b" } } }),
        new("mood[]", typeof(Mood[]), new object?[] { new[] { Mood.Happy, Mood.Sad } }),
        new("mood[]", typeof(List<Mood?>), new List<Mood?> { Mood.Happy, null }),
        new("int4range", typeof(NpgsqlRange<int>), NpgsqlRange<int>.Empty, new NpgsqlRange<int>(1, true, 5, false), new NpgsqlRange<int>(0, false, true, 3, false, false), new NpgsqlRange<int>(0, false, true, 0, false, true)),
        new("numrange", typeof(NpgsqlRange<decimal>), new NpgsqlRange<decimal>(1.10m, 2.200m)),
        new("tstzrange", typeof(NpgsqlRange<DateTime>), new NpgsqlRange<DateTime>(DateTime.UnixEpoch, true, false, default, false, true)),
        new("daterange", typeof(NpgsqlRange<DateOnly>), new NpgsqlRange<DateOnly>(DateOnly.MinValue, DateOnly.MaxValue)),
        new("tstzrange", typeof(NpgsqlRange<DateTimeOffset>), new NpgsqlRange<DateTimeOffset>(DateTimeOffset.UnixEpoch, DateTimeOffset.MaxValue)),
        new("int4multirange", typeof(NpgsqlRange<int>[]), new object?[] { new[] { new NpgsqlRange<int>(1, 2), NpgsqlRange<int>.Empty } }),
        new("int8multirange", typeof(List<NpgsqlRange<long>>), new List<NpgsqlRange<long>> { new(1, 2) }),
        new("int4multirange[]", typeof(NpgsqlRange<int>[][]), new object?[] { new[] { new[] { new NpgsqlRange<int>(1, 2) } } }),
    ];

    public RowSchema Schema() => RowSchema.TryCreate([new RowColumn("value", ClrType, StoreType)], out var obstacle) ?? throw new InvalidOperationException(obstacle);

    public override string ToString() => $"{StoreType} as {(ClrType.IsConstructedGenericType ? ClrType.ToString() : ClrType.Name)}".ToString(CultureInfo.InvariantCulture);

#pragma warning disable CS0618 // The only way to make these without a server.
    private static NpgsqlTsVector Vector(string text) => NpgsqlTsVector.Parse(text);

    private static NpgsqlTsQuery Query(string text) => NpgsqlTsQuery.Parse(text);
#pragma warning restore CS0618
}
