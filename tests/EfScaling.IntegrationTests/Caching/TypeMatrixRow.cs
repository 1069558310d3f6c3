using System.Collections;
using System.Collections.Immutable;
using System.Net;
using System.Net.NetworkInformation;
using System.Numerics;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using NpgsqlTypes;

namespace EfScaling.IntegrationTests.Caching;

#pragma warning disable CA1720 // The types are what the properties are about.

/// <summary>A property of every type that the provider maps without plugins.</summary>
public sealed class TypeMatrixRow : IDisposable
{
    public int Id { get; set; }

    public bool? Bool { get; set; }

    public byte? Byte { get; set; }

    public short? Short { get; set; }

    public int? Int { get; set; }

    public long? Long { get; set; }

    public ushort? UShort { get; set; }

    public uint? Oid { get; set; }

    public ulong? Xid8 { get; set; }

    public float? Float { get; set; }

    public double? Double { get; set; }

    public decimal? Decimal { get; set; }

    public decimal? Money { get; set; }

    public BigInteger? BigInteger { get; set; }

    public char? Char { get; set; }

    public string? Text { get; set; }

    public string? FixedText { get; set; }

    public string? CaseInsensitive { get; set; }

    public string? JsonText { get; set; }

    public string? Xml { get; set; }

    public LTree? Tree { get; set; }

    public Guid? Guid { get; set; }

    public DateTime? TimestampTz { get; set; }

    public DateTime? Timestamp { get; set; }

    public DateTime? DateAsDateTime { get; set; }

    public DateTimeOffset? Offset { get; set; }

    public DateTimeOffset? TimeTz { get; set; }

    public DateOnly? Date { get; set; }

    public TimeOnly? Time { get; set; }

    public TimeSpan? TimeAsSpan { get; set; }

    public TimeSpan? Interval { get; set; }

    public byte[]? Bytes { get; set; }

    public JsonDocument? Document { get; set; }

    public JsonElement? Element { get; set; }

    public BitArray? Bits { get; set; }

    public BitArray? FixedBits { get; set; }

    public IPAddress? Address { get; set; }

    public NpgsqlInet? Inet { get; set; }

    public IPNetwork? Cidr { get; set; }

    public PhysicalAddress? Mac { get; set; }

    public PhysicalAddress? Mac8 { get; set; }

    public Dictionary<string, string?>? Hstore { get; set; }

    public ImmutableDictionary<string, string?>? ImmutableHstore { get; set; }

    public NpgsqlTid? Tid { get; set; }

    public NpgsqlLogSequenceNumber? Lsn { get; set; }

    public NpgsqlPoint? Point { get; set; }

    public NpgsqlBox? Box { get; set; }

    public NpgsqlLine? Line { get; set; }

    public NpgsqlLSeg? LSeg { get; set; }

    public NpgsqlPath? Path { get; set; }

    public NpgsqlPolygon? Polygon { get; set; }

    public NpgsqlCircle? Circle { get; set; }

    public NpgsqlCube? Cube { get; set; }

    public NpgsqlTsVector? Search { get; set; }

    public NpgsqlTsQuery? Query { get; set; }

    public MatrixMood? Mood { get; set; }

    public DayOfWeek? DayAsNumber { get; set; }

    public DayOfWeek? DayAsText { get; set; }

    public int[]? Ints { get; set; }

    public int?[]? NullableInts { get; set; }

    public List<string>? Texts { get; set; }

    public IList<Guid>? GuidsByInterface { get; set; }

    public decimal[]? Decimals { get; set; }

    public DateTime[]? Timestamps { get; set; }

    public MatrixMood[]? Moods { get; set; }

    public List<DayOfWeek>? DaysAsNumbers { get; set; }

    public byte[]? SmallIntsAsBytes { get; set; }

    public NpgsqlRange<int>? IntRange { get; set; }

    public NpgsqlRange<decimal>? DecimalRange { get; set; }

    public NpgsqlRange<DateTime>? TimestampRange { get; set; }

    public NpgsqlRange<DateOnly>? DateRange { get; set; }

    public NpgsqlRange<long>[]? LongMultirange { get; set; }

    public List<NpgsqlRange<DateOnly>>? DateMultirange { get; set; }

    public int[]? JsonInts { get; set; }

    public TypeMatrixDetails? Details { get; set; }

    /// <inheritdoc />
    public void Dispose() => Document?.Dispose();
}
