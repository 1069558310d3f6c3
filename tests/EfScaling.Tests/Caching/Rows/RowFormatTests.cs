using System.Globalization;
using EfScaling.Caching.Rows;

namespace EfScaling.Tests.Caching.Rows;

public sealed class RowFormatTests
{
    private static readonly EntryHeader _header = new(new UInt128(1, 2), 1_700_000_000_123, (long)TimeSpan.FromDays(60).TotalMilliseconds);

    public static TheoryData<int> Cases => [.. Enumerable.Range(0, TypeCase.All.Length)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Values_of_a_type_are_the_same_after_recording_and_after_reading_a_payload(int index)
    {
        var type = TypeCase.All[index];

        // Every value alone, all together, with nulls between, in front and behind, and nothing but nulls.
        var sets = type.Values.Select(v => new[] { v })
            .Append(type.Values)
            .Append([.. type.Values.SelectMany(v => new[] { null, v })])
            .Append([.. Enumerable.Repeat<object?>(null, 70), .. type.Values, null])
            .Append([.. Enumerable.Repeat(type.Values, 40).SelectMany(v => v)])
            .Append([null])
            .Append(new object?[200])
            .Append([]);
        foreach (var values in sets)
        {
            var expected = values.Select(v => new[] { RenderedValue.Of(Rewound(v)) }).ToArray();
            foreach (var value in values)
            {
                Rewound(value);
            }

            var rows = Recorded.Column(type.Schema(), values);
            Assert.Equal(expected, Recorded.Rendered(rows));
            Assert.Equal(expected, Recorded.Rendered(Recorded.Decoded(rows)));
        }
    }

    [Fact]
    public void Header_is_read_without_the_rows()
    {
        var payload = RowFormat.Encode(Recorded.Column(Recorded.Schema<int>(), 1), _header);

        Assert.True(RowFormat.TryReadHeader(payload, out var read));
        Assert.Equal(_header, read);
        Assert.True(RowFormat.TryDecode(payload, Recorded.Schema<int>(), out var decoded, out _));
        Assert.Equal(_header, decoded);
    }

    [Fact]
    public void Rows_of_another_schema_are_a_miss()
    {
        var payload = RowFormat.Encode(Recorded.Column(Recorded.Schema<int>("integer"), 1), _header);

        Assert.False(RowFormat.TryDecode(payload, Recorded.Schema<uint>("integer"), out _, out _));
        Assert.False(RowFormat.TryDecode(payload, Recorded.Schema<int>("oid"), out _, out _));
        Assert.False(RowFormat.TryDecode(payload, Recorded.Schema(new(null, typeof(int), "integer"), new(null, typeof(int), "integer")), out _, out _));
        Assert.True(RowFormat.TryDecode(payload, Recorded.Schema<int>("integer"), out _, out _));
    }

    [Fact]
    public void Every_damaged_byte_and_every_cut_is_a_miss()
    {
        var (schema, rows) = Mixed();
        var payload = RowFormat.Encode(rows, _header);

        for (var i = 0; i < payload.Length; i++)
        {
            Assert.False(RowFormat.TryDecode(payload.AsMemory(0, i), schema, out _, out _), $"cut at {i}");
            payload[i] ^= 0x10;
            Assert.False(RowFormat.TryDecode(payload, schema, out _, out _), $"byte {i}");
            payload[i] ^= 0x10;
        }

        Assert.False(RowFormat.TryDecode(new byte[] { 1, 2, 3 }.Concat(payload).ToArray(), schema, out _, out _));
        Assert.False(RowFormat.TryDecode(payload.Append((byte)0).ToArray(), schema, out _, out _));
        Assert.True(RowFormat.TryDecode(payload, schema, out _, out _));
    }

    // Behind the checksum: whoever can write to the store can make one that fits.
    [Fact]
    public void Any_bytes_are_rows_or_a_miss()
    {
        var seed = Environment.TickCount;
        var random = new Random(seed);
        var columns = TypeCase.All.Select(t => (Type: t, Schema: t.Schema(), Body: Body(Recorded.Column(t.Schema(), [.. t.Values, null])))).ToList();
        var (mixed, rows) = Mixed();
        var all = columns.Select(c => (c.Schema, c.Body)).Append((mixed, Body(rows))).ToArray();
        var (cases, read) = (0, 0);
        var before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            for (var round = 0; cases < 200_000; round++)
            {
                var (schema, body) = all[round % all.Length];
                var damaged = Damaged(random, body);
                for (var i = 0; i < 40; i++, cases++)
                {
                    var length = random.Next(4) == 0 ? random.Next(damaged.Length + 1) : damaged.Length;
                    if (length > 0)
                    {
                        damaged[random.Next(length)] = random.Next(3) switch { 0 => (byte)random.Next(256), 1 => byte.MaxValue, _ => (byte)random.Next(9) };
                    }

                    if (RowFormat.TryDecode(damaged.AsSpan(0, length), schema, out var decoded))
                    {
                        read++;
                        if (cases % 50 == 0)
                        {
                            Recorded.Rendered(decoded);
                        }
                    }
                }
            }
        }
        catch (Exception exception)
        {
            throw new InvalidOperationException($"seed {seed}, case {cases}", exception);
        }

        // Both happened, and no length in a payload was believed: about what honest payloads of these sizes take.
        Assert.InRange(read, 1, cases - 1);
        Assert.InRange((GC.GetAllocatedBytesForCurrentThread() - before) / cases, 0, 200_000);
    }

    [Fact]
    public void Lengths_that_no_payload_can_hold_ask_for_no_memory()
    {
        byte[][] bodies =
        [
            [0xFF, 0xFF, 0xFF, 0xFF, 0x07, 0],
            [0xFF, 0xFF, 0xFF, 0xFF, 0x07, 2],
            [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01, 2],
            [1, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0x07, 0xFF],
        ];
        foreach (var type in TypeCase.All)
        {
            var schema = type.Schema();
            foreach (var body in bodies)
            {
                // Once before it counts: the first use of a codec pays for what the runtime sets up.
                Assert.False(RowFormat.TryDecode(body, schema, out _), $"{type}: {Convert.ToHexString(body)}");
                var before = GC.GetAllocatedBytesForCurrentThread();
                RowFormat.TryDecode(body, schema, out _);
                Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 20_000);
            }
        }
    }

    [Fact]
    public void Payload_of_version_1_is_still_read()
    {
        var path = Path.Combine(SourceTree.Root, "tests", "EfScaling.Tests", "Caching", "Rows", "Payloads", "format-1.base64");
        var values = TypeCase.All.Select(t => t.Values).ToArray();
        var schema = Recorded.Schema([.. TypeCase.All.Select(t => new RowColumn(null, t.ClrType, t.StoreType))]);
        object?[][] expected = [.. Enumerable.Range(0, 12).Select(row => values.Select(v => row % 4 == 3 ? null : v[row % v.Length]).ToArray())];
        if (Environment.GetEnvironmentVariable("EFSCALING_WRITE_PAYLOAD") == "1")
        {
            Assert.False(File.Exists(path), "A payload of a released version never changes.");
            File.WriteAllText(path, Convert.ToBase64String(RowFormat.Encode(Recorded.Of(schema, expected), _header), Base64FormattingOptions.InsertLineBreaks) + "\n");
        }

        Assert.True(RowFormat.TryDecode(Convert.FromBase64String(File.ReadAllText(path)), schema, out var header, out var rows));
        Assert.Equal(_header, header);
        Assert.Equal(
            expected.Select(r => r.Select(v => RenderedValue.Of(Rewound(v))).ToArray()).ToArray(),
            Recorded.Rendered(rows));
    }

    [Theory]
    [InlineData(1, 300)]
    [InlineData(100, 6000)]
    public void Payload_is_small(int count, int limit)
    {
        var (_, rows) = Products(count);

        Assert.InRange(RowFormat.Encode(rows, _header).Length, 60, limit);
    }

    [Fact]
    public void Decoding_allocates_an_array_a_column_and_the_texts()
    {
        var (schema, rows) = Products(100);
        var payload = RowFormat.Encode(rows, _header);
        Assert.True(RowFormat.TryDecode(payload, schema, out _, out _));

        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.True(RowFormat.TryDecode(payload, schema, out _, out _));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, (100 * (4 + 8 + 64 + 16 + 4 + 8)) + 1200);
    }

    [Fact]
    public void Enumeration_whose_members_have_other_numbers_is_another_schema()
    {
        Assert.NotEqual(Recorded.Schema<Mood>("mood").Fingerprint, Recorded.Schema<Renumbered.Mood>("mood").Fingerprint);
        Assert.Equal(Recorded.Schema<Mood>("mood").Fingerprint, Recorded.Schema<Mood>("mood").Fingerprint);
    }

    internal static (RowSchema Schema, RowSet Rows) Products(int count)
    {
        var schema = Recorded.Schema(
            new("Id", typeof(int), "integer"),
            new("Name", typeof(string), "text"),
            new("Price", typeof(decimal), "numeric(18,2)"),
            new("Stock", typeof(int), "integer"),
            new("Changed", typeof(DateTime), "timestamp with time zone"));
        var random = new Random(7);
        return (schema, Recorded.Of(schema, [.. Enumerable.Range(0, count).Select(i => new object?[]
        {
            1000 + i,
            string.Create(CultureInfo.InvariantCulture, $"product number {random.Next(10000):0000}!"),
            Math.Round((decimal)random.NextDouble() * 1000, 2),
            random.Next(500),
            DateTime.UnixEpoch.AddDays(20_000).AddTicks(random.NextInt64(TimeSpan.TicksPerDay * 300)),
        })]));
    }

    private static (RowSchema Schema, RowSet Rows) Mixed()
    {
        var schema = Recorded.Schema(new(null, typeof(int), "integer"), new(null, typeof(string), "text"), new(null, typeof(int[]), "integer[]"));
        return (schema, Recorded.Of(schema, [1, "a", new[] { 1, 2 }], [2, null, Array.Empty<int>()], [null, "long enough to see", null]));
    }

    private static byte[] Body(RowSet rows) => RowFormat.Encode(rows, default)[49..];

    private static byte[] Damaged(Random random, byte[] body)
    {
        if (random.Next(4) > 0)
        {
            return body.Length > 400 ? body[..400] : [.. body];
        }

        var bytes = new byte[random.Next(1, 100)];
        random.NextBytes(bytes);
        bytes[0] = (byte)random.Next(4);
        return bytes;
    }

    private static object? Rewound(object? value)
    {
        if (value is Stream stream)
        {
            stream.Position = 0;
        }

        return value;
    }

    private static class Renumbered
    {
        public enum Mood : byte
        {
            Sad = 7,
            Happy = 1,
        }
    }
}
