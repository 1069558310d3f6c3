using System.Text;
using EfScaling.Caching.Redis;

namespace EfScaling.Tests.Caching.Redis;

public sealed class RespReaderTests(ITestOutputHelper output)
{
    public static TheoryData<string, string> Values => new()
    {
        { "+OK\r\n", "SimpleString OK" },
        { "-ERR no\r\n", "SimpleError ERR no" },
        { ":-42\r\n", "Integer -42" },
        { "$5\r\nhello\r\n", "BulkString hello" },
        { "$0\r\n\r\n", "BulkString " },
        { "$4\r\n\r\n\r\n\r\n", "BulkString \r\n\r\n" },
        { "$-1\r\n", "Null" },
        { "*-1\r\n", "Null" },
        { "_\r\n", "Null" },
        { "#t\r\n", "Boolean t" },
        { ",1.5\r\n", "Double 1.5" },
        { ",inf\r\n", "Double inf" },
        { "(3492890328409238509324850943850943825024385\r\n", "BigNumber 3492890328409238509324850943850943825024385" },
        { "!5\r\nERR x\r\n", "BulkError ERR x" },
        { "=7\r\ntxt:abc\r\n", "VerbatimString txt:abc" },
        { "*0\r\n", "Array[]" },
        { "*3\r\n:1\r\n$1\r\na\r\n_\r\n", "Array[Integer 1, BulkString a, Null]" },
        { "*2\r\n*1\r\n:1\r\n~1\r\n:2\r\n", "Array[Array[Integer 1], Set[Integer 2]]" },
        { "%2\r\n+a\r\n:1\r\n+b\r\n*0\r\n", "Map[SimpleString a, Integer 1, SimpleString b, Array[]]" },
        { ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n", "Push[BulkString invalidate, Array[BulkString k]]" },
        { "|1\r\n+ttl\r\n:1\r\n:7\r\n", "Integer 7" },
        { "*2\r\n|1\r\n+ttl\r\n*1\r\n:1\r\n:7\r\n:8\r\n", "Array[Integer 7, Integer 8]" },
    };

    public static TheoryData<string> Garbage => ["hello\r\n", "\r\n", "$x\r\n", "$-2\r\n", "*-5\r\n", "$?\r\n", "*?\r\n", "$3\r\nabcde", "$99999999999\r\n", "*99999999\r\n", "%9223372036854775807\r\n"];

    [Theory]
    [MemberData(nameof(Values))]
    public void Reads_each_type(string bytes, string expected) => Assert.Equal(expected, ReadAll(Encoding.ASCII.GetBytes(bytes)));

    [Theory]
    [MemberData(nameof(Values))]
    public void An_answer_is_complete_at_its_last_byte_and_not_before(string text, string expected)
    {
        var bytes = Encoding.ASCII.GetBytes(text);
        for (var length = 0; length < bytes.Length; length++)
        {
            Assert.False(RespReader.TryMeasure(bytes.AsSpan(0, length), out _), $"complete after {length} of {bytes.Length} bytes");
        }

        Assert.True(RespReader.TryMeasure([.. bytes, .. ":99\r\n"u8], out var measured));
        Assert.Equal(bytes.Length, measured);
        Assert.Equal(expected, ReadAll(bytes));
    }

    [Fact]
    public void A_buffer_hands_out_the_same_answers_wherever_they_are_split()
    {
        var bytes = Encoding.ASCII.GetBytes(string.Concat(Values.Select(v => v.Data.Item1)));
        var expected = Values.Select(v => v.Data.Item2).ToList();
        for (var split = 1; split < bytes.Length; split++)
        {
            var buffer = new RedisReceiveBuffer([]);
            var answers = new List<string>();
            using var stream = new SplitStream(bytes, split);
            do
            {
                while (buffer.TryTake(out var answer))
                {
                    answers.Add(ReadAll(answer));
                }
            }
            while (buffer.Fill(stream));

            Assert.Equal(expected, answers);
        }
    }

    [Fact]
    public void A_buffer_grows_to_an_answer_of_any_size_and_keeps_what_follows()
    {
        var value = new string('x', 3_000_000);
        var bytes = Encoding.ASCII.GetBytes($":1\r\n${value.Length}\r\n{value}\r\n:2\r\n");
        var buffer = new RedisReceiveBuffer([]);
        using var stream = new SplitStream(bytes, 40_000);
        var answers = new List<string>();
        do
        {
            while (buffer.TryTake(out var answer))
            {
                answers.Add(ReadAll(answer));
            }
        }
        while (buffer.Fill(stream));

        Assert.Equal(["Integer 1", $"BulkString {value}", "Integer 2"], answers);
    }

    [Theory]
    [MemberData(nameof(Garbage))]
    public void Garbage_is_refused(string bytes) => Assert.Throws<RespException>(() => RespReader.TryMeasure(Encoding.ASCII.GetBytes(bytes), out _));

    [Fact]
    public void A_line_without_end_is_refused() => Assert.Throws<RespException>(() => RespReader.TryMeasure(Encoding.ASCII.GetBytes("+" + new string('a', 70_000)), out _));

    [Fact]
    public void Deep_nesting_neither_overflows_the_stack_nor_takes_long()
    {
        var bytes = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("*1\r\n", 200_000)) + ":1\r\n");

        Assert.True(RespReader.TryMeasure(bytes, out var length));
        Assert.Equal(bytes.Length, length);
    }

    [Fact]
    public void Reading_past_the_end_throws_the_one_exception() => Assert.Throws<RespException>(() => new RespReader(":1"u8).Read());

    [Fact]
    public void Whatever_the_bytes_it_ends_and_throws_at_most_the_one_exception()
    {
        var seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var pieces = Values.Select(v => v.Data.Item1).Concat(Garbage.Select(g => g.Data)).ToArray();
        var complete = 0;
        for (var i = 0; i < 20_000; i++)
        {
            var bytes = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Range(0, random.Next(1, 4)).Select(_ => pieces[random.Next(pieces.Length)])));
            for (var changes = random.Next(4); changes > 0; changes--)
            {
                bytes[random.Next(bytes.Length)] = random.Next(2) == 0 ? (byte)random.Next(256) : "+-:$*_#,(!=%~|>0123456789\r\n"u8[random.Next(27)];
            }

            try
            {
                if (RespReader.TryMeasure(bytes, out var length))
                {
                    complete++;
                    Assert.InRange(length, 1, bytes.Length);
                    ReadAll(bytes.AsSpan(0, length));
                }
            }
            catch (RespException)
            {
                // The only one allowed.
                continue;
            }
        }

        Assert.True(complete > 1_000, $"Only {complete} inputs were answers: the test reaches too little.");
    }

    [Fact]
    public void A_written_command_is_read_as_it_was_meant()
    {
        var writer = new RespWriter();
        writer.Command(4);
        writer.Part("SET"u8);
        writer.Part("kéy");
        writer.Part(long.MinValue);
        writer.Part(new byte[100_000]);

        var reader = new RespReader(writer.Written);
        Assert.True(RespReader.TryMeasure(writer.Written, out var length));
        Assert.Equal(writer.Length, length);
        Assert.Equal(4, reader.ReadAggregate());
        Assert.Equal("SET", Encoding.UTF8.GetString(reader.Read().Text));
        Assert.Equal("kéy", Encoding.UTF8.GetString(reader.Read().Text));
        Assert.True(reader.Read().TryGetNumber(out var number));
        Assert.Equal(long.MinValue, number);
        Assert.Equal(100_000, reader.Read().Text.Length);
    }

    private static string ReadAll(ReadOnlySpan<byte> bytes)
    {
        var reader = new RespReader(bytes);
        var text = Describe(ref reader);
        Assert.Equal(bytes.Length, reader.Position);
        return text;
    }

    private static string Describe(ref RespReader reader)
    {
        var token = reader.Read();
        if (!token.IsAggregate)
        {
            return token.Type == RespType.Null ? "Null" : $"{token.Type} {Encoding.ASCII.GetString(token.Text)}";
        }

        var elements = new List<string>();
        for (var i = 0; i < token.Count; i++)
        {
            elements.Add(Describe(ref reader));
        }

        return $"{token.Type}[{string.Join(", ", elements)}]";
    }
}
