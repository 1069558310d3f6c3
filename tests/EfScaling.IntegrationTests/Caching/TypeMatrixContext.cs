using System.Collections;
using System.Collections.Immutable;
using System.Net;
using System.Net.NetworkInformation;
using System.Numerics;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using NpgsqlTypes;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>A context of one entity with a property of every type, and its rows: a usual one, one of edges, and one of nulls.</summary>
public sealed class TypeMatrixContext(DbContextOptions<TypeMatrixContext> options) : DbContext(options)
{
    public DbSet<TypeMatrixRow> Rows => Set<TypeMatrixRow>();

    /// <summary>Returns options to which a test adds its own.</summary>
    public static DbContextOptionsBuilder<TypeMatrixContext> Options(string connectionString) =>
        new DbContextOptionsBuilder<TypeMatrixContext>().UseNpgsql(connectionString, o => o.MapEnum<MatrixMood>("matrix_mood"));

    /// <summary>Creates the database of the connection string, the table and the rows, unless they are there.</summary>
    public static async Task CreateAsync(string connectionString)
    {
        await using var context = new TypeMatrixContext(Options(connectionString).Options);
        if (await context.Database.EnsureCreatedAsync())
        {
            context.AddRange(Usual(), Edges(), new TypeMatrixRow { Id = 3 });
            await context.SaveChangesAsync();

            // What no parameter can say.
            await context.Database.ExecuteSqlRawAsync(
                """
                UPDATE "Rows" SET "TimestampTz" = 'infinity', "Timestamp" = '-infinity', "Date" = 'infinity', "Search" = to_tsvector('simple', 'the fat cat''s mat, the rat')
                WHERE "Id" = 2
                """);
        }
    }

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.HasPostgresExtension("hstore").HasPostgresExtension("citext").HasPostgresExtension("ltree").HasPostgresExtension("cube");
        modelBuilder.Entity<TypeMatrixRow>(row =>
        {
            row.Property(r => r.Id).ValueGeneratedNever();
            row.Property(r => r.Oid).HasColumnType("oid");
            row.Property(r => r.Xid8).HasColumnType("xid8");
            row.Property(r => r.Money).HasColumnType("money");
            row.Property(r => r.Char).HasColumnType("character(1)");
            row.Property(r => r.FixedText).HasColumnType("character(5)");
            row.Property(r => r.CaseInsensitive).HasColumnType("citext");
            row.Property(r => r.JsonText).HasColumnType("json");
            row.Property(r => r.Xml).HasColumnType("xml");
            row.Property(r => r.Timestamp).HasColumnType("timestamp without time zone");
            row.Property(r => r.DateAsDateTime).HasColumnType("date");
            row.Property(r => r.TimeTz).HasColumnType("time with time zone");
            row.Property(r => r.TimeAsSpan).HasColumnType("time without time zone");
            row.Property(r => r.Element).HasColumnType("json");
            row.Property(r => r.FixedBits).HasColumnType("bit(3)");
            row.Property(r => r.Mac8).HasColumnType("macaddr8");
            row.Property(r => r.DayAsText).HasConversion<string>();
            row.Property(r => r.SmallIntsAsBytes).HasColumnType("smallint[]");
            row.Property(r => r.TimestampRange).HasColumnType("tstzrange");
            row.Property(r => r.JsonInts).HasColumnType("jsonb");
            row.OwnsOne(r => r.Details, d => d.ToJson());
        });
    }

    private static TypeMatrixRow Usual() => new()
    {
        Id = 1,
        Bool = true,
        Byte = 200,
        Short = -5,
        Int = 42,
        Long = 1L << 40,
        UShort = 40_000,
        Oid = 16_384,
        Xid8 = 99,
        Float = 1.5f,
        Double = 0.1,
        Decimal = 1.10m,
        Money = 12.34m,
        BigInteger = System.Numerics.BigInteger.Pow(7, 20),
        Char = 'x',
        Text = "naïve – 漢字 🚀",
        FixedText = "ab",
        CaseInsensitive = "MiXed",
        JsonText = "{ \"a\" :  1 }",
        Xml = "<a>1</a>",
        Tree = "top.middle.leaf",
        Guid = new Guid("00112233-4455-6677-8899-aabbccddeeff"),
        TimestampTz = new DateTime(2024, 2, 29, 1, 2, 3, DateTimeKind.Utc).AddMicroseconds(456_789),
        Timestamp = new DateTime(2024, 2, 29, 1, 2, 3, DateTimeKind.Unspecified),
        DateAsDateTime = new DateTime(2024, 2, 29, 0, 0, 0, DateTimeKind.Unspecified),
        Offset = new DateTimeOffset(2024, 2, 29, 1, 2, 3, TimeSpan.Zero),
        TimeTz = new DateTimeOffset(1, 1, 2, 13, 1, 2, TimeSpan.FromHours(-3.5)),
        Date = new DateOnly(2024, 2, 29),
        Time = new TimeOnly(1, 2, 3, 4, 5),
        TimeAsSpan = new TimeSpan(1, 2, 3),
        Interval = new TimeSpan(4, 3, 2, 1, 5),
        Bytes = [0, 1, 255],
        Document = JsonDocument.Parse("{\"a\": [1, 2.50, null, \"é\"]}"),
        Element = JsonDocument.Parse("[true, {}]").RootElement,
        Bits = new BitArray([true, false, true, true, false, true, true, true, false]),
        FixedBits = new BitArray([true, false, true]),
        Address = IPAddress.Parse("10.0.0.7"),
        Inet = new NpgsqlInet("10.0.0.7/8"),
        Cidr = IPNetwork.Parse("10.0.0.0/8"),
        Mac = PhysicalAddress.Parse("08-00-2B-01-02-03"),
        Mac8 = PhysicalAddress.Parse("08-00-2B-01-02-03-04-05"),
        Hstore = new() { ["a"] = "1", ["b"] = null },
        ImmutableHstore = ImmutableDictionary<string, string?>.Empty.Add("k", "v").Add("n", null),
        Tid = new NpgsqlTid(1, 2),
        Lsn = NpgsqlLogSequenceNumber.Parse("16/B374D848"),
        Point = new NpgsqlPoint(1.5, -2),
        Box = new NpgsqlBox(new NpgsqlPoint(3, 4), new NpgsqlPoint(1, 2)),
        Line = new NpgsqlLine(1, -1, 0.5),
        LSeg = new NpgsqlLSeg(1, 2, 3, 4),
        Path = new NpgsqlPath([new(1, 2), new(3, 4)], open: true),
        Polygon = new NpgsqlPolygon([new NpgsqlPoint(0, 0), new NpgsqlPoint(1, 0), new NpgsqlPoint(0, 1)]),
        Circle = new NpgsqlCircle(1, 2, 3),
        Cube = new NpgsqlCube([1.0, 2.0], [3.0, 4.0]),
#pragma warning disable CS0618 // Sent as text to the server, which reads it.
        Search = NpgsqlTsVector.Parse("'a':1A,2 'fat':3"),
        Query = NpgsqlTsQuery.Parse("!fat:*AB & (cat <3> 'it''s' | dog)"),
#pragma warning restore CS0618
        Mood = MatrixMood.Happy,
        DayAsNumber = DayOfWeek.Friday,
        DayAsText = DayOfWeek.Friday,
        Ints = [1, 2, 3],
        NullableInts = [1, null, 3],
        Texts = ["a", "", "c"],
        GuidsByInterface = [System.Guid.Empty, new Guid("00112233-4455-6677-8899-aabbccddeeff")],
        Decimals = [1.10m, 1.1m],
        Timestamps = [DateTime.UnixEpoch],
        Moods = [MatrixMood.Happy, MatrixMood.Sad],
        DaysAsNumbers = [DayOfWeek.Monday],
        SmallIntsAsBytes = [1, 2, 255],
        IntRange = new NpgsqlRange<int>(1, true, 5, false),
        DecimalRange = new NpgsqlRange<decimal>(1.10m, 2.200m),
        TimestampRange = new NpgsqlRange<DateTime>(DateTime.UnixEpoch, true, false, default, false, true),
        DateRange = new NpgsqlRange<DateOnly>(new DateOnly(2024, 1, 1), true, new DateOnly(2025, 1, 1), false),
        LongMultirange = [new(1, true, 5, false), new(10, true, 12, false)],
        DateMultirange = [new(new DateOnly(2024, 1, 1), true, new DateOnly(2024, 2, 1), false)],
        JsonInts = [3, 2, 1],
        Details = new() { Title = "t", Price = 1.10m, At = DateTime.UnixEpoch, Numbers = [1, 2] },
    };

    private static TypeMatrixRow Edges() => new()
    {
        Id = 2,
        Bool = false,
        Byte = 0,
        Short = short.MinValue,
        Int = int.MinValue,
        Long = long.MinValue,
        UShort = ushort.MaxValue,
        Oid = uint.MaxValue,
        Xid8 = ulong.MaxValue,
        Float = float.NaN,
        Double = -0.0,
        Decimal = decimal.MinValue,
        Money = -0.01m,
        BigInteger = -System.Numerics.BigInteger.Pow(10, 100),
        Char = 'ß',
        Text = "",
        FixedText = "",
        CaseInsensitive = "",
        JsonText = "null",
        Xml = "",
        Tree = "",
        Guid = System.Guid.Empty,
        TimestampTz = DateTime.UnixEpoch,
        Timestamp = new DateTime(1970, 1, 1, 0, 0, 0, DateTimeKind.Unspecified),
        Offset = DateTimeOffset.MinValue,
        Date = DateOnly.MinValue,
        Time = TimeOnly.MinValue,
        TimeAsSpan = TimeSpan.Zero,
        Interval = TimeSpan.FromMicroseconds(-1),
        Bytes = [],
        Document = JsonDocument.Parse("null"),
        Element = JsonDocument.Parse("\"\"").RootElement,
        Bits = new BitArray(0),
        Address = IPAddress.IPv6Loopback,
        Inet = new NpgsqlInet("::1"),
        Cidr = IPNetwork.Parse("::/0"),
        Hstore = [],
        ImmutableHstore = ImmutableDictionary<string, string?>.Empty,
        Lsn = new NpgsqlLogSequenceNumber(ulong.MaxValue),
        Point = new NpgsqlPoint(double.NaN, double.NegativeInfinity),
        Path = new NpgsqlPath([new(1, 2)], open: false),
        Cube = new NpgsqlCube([1.0, 2.0]),
        Ints = [],
        NullableInts = [null],
        Texts = [],
        Moods = [],
        IntRange = NpgsqlRange<int>.Empty,
        DecimalRange = new NpgsqlRange<decimal>(0, false, true, 0, false, true),
        LongMultirange = [],
        JsonInts = [],
        Details = new() { Title = null, At = DateTime.SpecifyKind(DateTime.MaxValue, DateTimeKind.Utc).AddTicks(-9) },
    };
}
