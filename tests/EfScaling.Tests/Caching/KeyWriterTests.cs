using System.Collections;
using System.Data.Common;
using EfScaling.Caching;
using Npgsql;
using NpgsqlTypes;

namespace EfScaling.Tests.Caching;

public sealed class KeyWriterTests(ITestOutputHelper output)
{
    private static readonly object?[] _alike =
    [
        null, "", "\0", " ", "a", "A", "null", "NULL", "1", "1.0", "{}", "@p0", "1,2", "\uD800", "\uFFFD", "\uDC00", "é", "e\u0301",
        true, false, (byte)1, (short)1, 1, 1L, 1u, 1UL, 0, -1, -1L, 1.0, 1f, 0.0, -0.0, double.NaN, float.NaN, 1m, 1.0m, 1.00m, '1', 'a',
        Guid.Empty, new Guid("00000000-0000-0000-0000-000000000001"),
        new DateTime(1, DateTimeKind.Utc), new DateTime(1, DateTimeKind.Unspecified), new DateTime(1, DateTimeKind.Local), DateTime.MaxValue, DateTime.MinValue,
        new DateTimeOffset(TimeSpan.TicksPerHour, TimeSpan.Zero), new DateTimeOffset(TimeSpan.TicksPerHour, TimeSpan.FromHours(1)), new DateOnly(1, 1, 2), new TimeOnly(1), new TimeSpan(1),
        Array.Empty<byte>(), new byte[] { 1 }, new byte[] { 1, 0 }, new List<byte> { 1 },
        Array.Empty<int>(), new[] { 1 }, new[] { 1, 2 }, new[] { 2, 1 }, new[] { 1L }, new int?[] { null }, new int?[] { 1, null }, new int?[] { null, 1 },
        new[] { "" }, new[] { "", "" }, new[] { "a", "b" }, new[] { "ab" }, new[] { "a,b" }, new List<string?> { null, "" }, new[] { "1" },
        new object[] { new[] { 1 }, new[] { 2 } }, new object[] { new[] { 1, 2 } }, new[] { Array.Empty<byte>() }, new[] { Array.Empty<byte>(), Array.Empty<byte>() },
    ];

    [Fact]
    public void Values_that_look_alike_are_told_apart()
    {
        var seen = new Dictionary<string, object?>();
        foreach (var value in _alike)
        {
            var written = Written([value]);
            Assert.False(seen.TryGetValue(written, out var other), $"{Text(value)} and {Text(other)} write the same");
            seen.Add(written, value);
        }
    }

    [Fact]
    public void The_same_values_write_the_same()
    {
        Assert.Equal(Written([1, "a", new[] { 1, 2 }, null]), Written([1, "a", new[] { 1, 2 }, DBNull.Value]));
        Assert.Equal(Written([new[] { 1, 2 }]), Written([new List<int> { 1, 2 }]));
    }

    [Fact]
    public void Labels_of_an_enum_count_and_not_their_numbers()
    {
        Assert.Equal(Written([Mood.Sad]), Written([MoodOfTheNextVersion.Sad]));
        Assert.NotEqual(Written([Mood.Sad]), Written([MoodOfTheNextVersion.Bored]));
        Assert.NotEqual(Written([new[] { Mood.Sad }]), Written([new[] { MoodOfTheNextVersion.Bored }]));
        Assert.NotEqual(Written([Mood.Sad]), Written(["Sad"]));
    }

    [Fact]
    public void Different_sequences_write_different_bytes_and_none_begins_with_another()
    {
        var seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var seen = new SortedDictionary<string, string>(StringComparer.Ordinal);
        for (var i = 0; i < 20_000; i++)
        {
            // As many values in each: which statement it is says how many parameters there are.
            var values = Enumerable.Range(0, 3).Select(_ => Any(random, 2)).ToArray();
            var (bytes, text) = (Written(values), string.Join(" | ", values.Select(Text)));
            if (!seen.TryAdd(bytes, text))
            {
                Assert.Equal(seen[bytes], text);
            }
        }

        var before = (Key: "none", Value: "");
        foreach (var (bytes, text) in seen)
        {
            Assert.False(bytes.StartsWith(before.Key, StringComparison.Ordinal), $"{before.Value} begins {text}");
            before = (bytes, text);
        }

        Assert.True(seen.Count > 15_000);
    }

    [Fact]
    public void Parameters_are_told_apart_by_name_and_type_too()
    {
        NpgsqlParameter[] parameters =
        [
            new("a", "x"), new("b", "x"), new("a", NpgsqlDbType.Bytea) { Value = "x" }, new("a", 1), new("a", 1L), new("a", NpgsqlDbType.Timestamp) { Value = DateTime.MinValue },
            new("a", NpgsqlDbType.TimestampTz) { Value = DateTime.MinValue }, new("a", NpgsqlDbType.Date) { Value = DateTime.MinValue },
        ];
        Assert.Equal(parameters.Length, parameters.Select(Written).Distinct().Count());
    }

    [Theory]
    [MemberData(nameof(Unknown))]
    public void A_type_that_is_not_known_is_refused(object value)
    {
        using var key = new KeyWriter(stackalloc byte[16]);
        Assert.False(key.TryWrite(new NpgsqlParameter { ParameterName = "p", Value = value }));
    }

    public static TheoryData<object> Unknown => [new Uri("https://example.org"), new BitArray(3), new int[1, 1], new object[] { 1, new Uri("https://example.org") }, new NpgsqlPoint(1, 2), new ArrayList { 1 }];

    [Fact]
    public void Grows_without_losing_what_was_written()
    {
        var text = new string('x', 100_000);
        using var small = new KeyWriter(stackalloc byte[1]);
        using var large = new KeyWriter(new byte[1_000_000]);
        foreach (var part in new[] { "a", text, "b" })
        {
            small.Write(part);
            large.Write(part);
        }

        Assert.True(small.Written.SequenceEqual(large.Written));
        Assert.Equal(large.Digest, small.Digest);
    }

    private static object? Any(Random random, int depth) => random.Next(depth == 0 ? 14 : 17) switch
    {
        0 => null,
        1 => random.Next(3),
        2 => (long)random.Next(3),
        3 => new string([.. Enumerable.Range(0, random.Next(4)).Select(_ => (char)random.Next(0xD7FE, 0xE002))]),
        4 => new string([.. Enumerable.Range(0, random.Next(4)).Select(_ => "\0\u0001\u0009\u0015a"[random.Next(5)])]),
        5 => random.Next(2) == 0,
        6 => (short)random.Next(3),
        7 => (byte)random.Next(3),
        8 => random.Next(3) / 2.0,
        9 => random.Next(3) / 2f,
        10 => new decimal(random.Next(3), 0, 0, isNegative: random.Next(2) == 0, (byte)random.Next(3)),
        11 => new DateTime(random.NextInt64(DateTime.MaxValue.Ticks), (DateTimeKind)random.Next(3)),
        12 => new TimeSpan(random.NextInt64(4)),
        13 => new Guid(random.Next(3), 0, 0, new byte[8]),
        14 => Enumerable.Range(0, random.Next(3)).Select(_ => (byte)random.Next(3)).ToArray(),
        15 => Enumerable.Range(0, random.Next(3)).Select(_ => random.Next(3)).ToArray(),
        _ => Enumerable.Range(0, random.Next(3)).Select(_ => Any(random, depth - 1)).ToArray(),
    };

    private static string Text(object? value) => value switch
    {
        null => "null",
        string text => $"string({string.Join(' ', text.Select(c => $"{(int)c:x}"))})",

        // Lists of whatever type are one to the database.
        byte[] bytes => $"bytes({Convert.ToHexString(bytes)})",
        IList items => $"[{string.Join(", ", items.Cast<object?>().Select(Text))}]",
        DateTime time => $"DateTime({time.Ticks} {time.Kind})",
        decimal number => $"decimal({string.Join(' ', decimal.GetBits(number))})",
        double number => $"double({BitConverter.DoubleToInt64Bits(number)})",
        _ => $"{value.GetType().Name}({value})",
    };

    private static string Written(object?[] values)
    {
        using var key = new KeyWriter(stackalloc byte[64]);
        foreach (var value in values)
        {
            var parameter = new NpgsqlParameter { ParameterName = "p", Value = value, DbType = System.Data.DbType.Object };
            Assert.True(key.TryWrite((DbParameter)parameter), Text(value));
        }

        return string.Concat(key.Written.ToArray().Select(b => (char)b));
    }

    private static string Written(NpgsqlParameter parameter)
    {
        using var key = new KeyWriter(stackalloc byte[64]);
        Assert.True(key.TryWrite(parameter));
        return Convert.ToHexString(key.Written);
    }

    private enum Mood
    {
        Happy,
        Sad,
    }

    private enum MoodOfTheNextVersion
    {
        Happy,
        Bored,
        Sad,
    }
}
