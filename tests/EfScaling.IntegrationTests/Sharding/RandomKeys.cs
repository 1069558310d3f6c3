using System.Text;
using EfScaling.Sharding;

namespace EfScaling.IntegrationTests.Sharding;

/// <summary>Values of each type of key: first the edges, then random ones of all sizes.</summary>
internal sealed class RandomKeys(int seed)
{
    private static readonly string[] _alphabets = ["abcXYZ 0189_-", "äößéñøžç", "漢字仮名交じり文한국어", "😀🚀👩‍🚀🇩🇪", "\uE000\uFFFD\u0001\t\n'\"\\"];

    private readonly Random _random = new(seed);

    public IEnumerable<short> Int2(int count) => Edges<short>([0, 1, -1, short.MinValue, short.MaxValue], () => (short)_random.Next(short.MinValue, short.MaxValue + 1), count);

    public IEnumerable<int> Int4(int count) =>
        Edges([0, 1, -1, int.MinValue, int.MaxValue, short.MinValue, ushort.MaxValue], () => (int)Int8(), count);

    public IEnumerable<long> Int8(int count) =>
        Edges([0, 1, -1, long.MinValue, long.MaxValue, int.MinValue, int.MaxValue, uint.MaxValue, 1L << 32, -(1L << 32), int.MinValue - 1L], Int8, count);

    public IEnumerable<Guid> Uuid(int count) => Edges([Guid.Empty, Guid.AllBitsSet, Guid.CreateVersion7(DateTimeOffset.UnixEpoch)], Uuid, count);

    public IEnumerable<string> Text(int count) =>
        Edges(["", "a", " ", new string('x', 11), new string('x', 12), new string('x', 13), new string('é', 42), new string('é', 43), new string('漢', 85), new string('漢', 86),
            new string('a', 255), new string('a', 256), new string('a', 257), new string('漢', 2_000), "\uFFFD", "\u0001"], Text, count);

    public IEnumerable<byte[]> Bytea(int count) => Edges([[], [0], [255], new byte[12], new byte[256], new byte[257]], Bytea, count);

    public IEnumerable<bool> Bool(int count) => Edges([false, true], () => _random.Next(2) == 0, count);

    // The least and the greatest date are infinity.
    public IEnumerable<DateOnly> Date(int count) =>
        Edges([DateOnly.MinValue, DateOnly.MaxValue, new(2000, 1, 1), new(1999, 12, 31), DateOnly.MinValue.AddDays(1), DateOnly.MaxValue.AddDays(-1)],
            () => DateOnly.FromDayNumber(_random.Next(DateOnly.MaxValue.DayNumber)), count);

    public IEnumerable<DateTime> Time(DateTimeKind kind, int count) =>
        Edges([DateTime.MinValue, DateTime.MaxValue, new(2000, 1, 1), new DateTime(2000, 1, 1).AddTicks(-1), new DateTime(2000, 1, 1).AddTicks(-11), new DateTime(2000, 1, 1).AddTicks(19), DateTime.MaxValue.AddTicks(-1), DateTime.MinValue.AddTicks(10)],
            () => new DateTime(_random.NextInt64(DateTime.MaxValue.Ticks)), count).Select(t => DateTime.SpecifyKind(t, kind));

    /// <summary>Values of any supported type, for keys of several columns.</summary>
    public ShardKey Key(ShardKeyType type) => type switch
    {
        ShardKeyType.Int2 => ShardKey.Of((short)Int8()),
        ShardKeyType.Int4 => ShardKey.Of((int)Int8()),
        ShardKeyType.Int8 => ShardKey.Of(Int8()),
        ShardKeyType.Uuid => ShardKey.Of(Uuid()),
        ShardKeyType.Text => ShardKey.Of(Text()),
        ShardKeyType.Bytea => ShardKey.Of(Bytea()),
        ShardKeyType.Bool => ShardKey.Of(_random.Next(2) == 0),
        ShardKeyType.Date => ShardKey.Of(DateOnly.FromDayNumber(_random.Next(DateOnly.MaxValue.DayNumber))),
        ShardKeyType.Timestamp => ShardKey.Of(new DateTime(_random.NextInt64(DateTime.MaxValue.Ticks))),
        _ => ShardKey.Of(new DateTime(_random.NextInt64(DateTime.MaxValue.Ticks), DateTimeKind.Utc)),
    };

    /// <summary>Returns true once in five times.</summary>
    public bool Seldom() => _random.Next(5) == 0;

    private static IEnumerable<T> Edges<T>(T[] edges, Func<T> next, int count) => edges.Concat(Enumerable.Range(0, Math.Max(0, count - edges.Length)).Select(_ => next()));

    // As many small numbers as large ones.
    private long Int8() => _random.NextInt64(long.MinValue, long.MaxValue) >> _random.Next(64);

    private Guid Uuid()
    {
        Span<byte> bytes = stackalloc byte[16];
        _random.NextBytes(bytes);
        return new Guid(bytes);
    }

    private string Text()
    {
        var text = new StringBuilder();
        var runes = _alphabets[_random.Next(_alphabets.Length)].EnumerateRunes().ToArray();
        for (var length = _random.Next(40); length > 0; length--)
        {
            text.Append(runes[_random.Next(runes.Length)]);
        }

        return text.ToString();
    }

    private byte[] Bytea()
    {
        var bytes = new byte[_random.Next(50)];
        _random.NextBytes(bytes);
        return bytes;
    }
}
