using System.Collections.Frozen;

namespace EfScaling.Routing.Scatter;

/// <summary>Compares values as PostgreSQL orders them.</summary>
/// <remarks>Of types whose order is exactly known here; the rows of queries that are ordered by others are put in order by a shard. Immutable and thread-safe.</remarks>
internal static class MergeOrder
{
    private static readonly MergeType _text = new MergeType<string>("text", CompareTexts);

    private static readonly FrozenDictionary<string, MergeType> _types = new Dictionary<string, MergeType>
    {
        ["smallint"] = new MergeType<short>("smallint", static (x, y) => x.CompareTo(y)),
        ["integer"] = new MergeType<int>("integer", static (x, y) => x.CompareTo(y)),
        ["bigint"] = new MergeType<long>("bigint", static (x, y) => x.CompareTo(y)),

        // NaN is greater than all numbers, and both zeros are equal.
        ["real"] = new MergeType<float>("real", static (x, y) => float.IsNaN(x) ? (float.IsNaN(y) ? 0 : 1) : float.IsNaN(y) ? -1 : x.CompareTo(y)),
        ["double precision"] = new MergeType<double>("double precision", static (x, y) => double.IsNaN(x) ? (double.IsNaN(y) ? 0 : 1) : double.IsNaN(y) ? -1 : x.CompareTo(y)),

        // Of any size, by the texts that PostgreSQL writes.
        ["numeric"] = new MergeType<string>("text", CompareNumerics),
        ["boolean"] = new MergeType<bool>("boolean", static (x, y) => x.CompareTo(y)),
        ["uuid"] = new MergeType<Guid>("uuid", CompareUuids),
        ["bytea"] = new MergeType<byte[]>("bytea", static (x, y) => x.AsSpan().SequenceCompareTo(y)),

        // As the server counts them: infinite ones are the least and the greatest.
        ["date"] = new MergeType<int>("date", static (x, y) => x.CompareTo(y)),
        ["timestamp without time zone"] = new MergeType<long>("timestamp without time zone", static (x, y) => x.CompareTo(y)),
        ["timestamp with time zone"] = new MergeType<long>("timestamp with time zone", static (x, y) => x.CompareTo(y)),
        ["time without time zone"] = new MergeType<long>("time without time zone", static (x, y) => x.CompareTo(y)),
    }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>Returns how the values of a type are compared.</summary>
    /// <param name="type">The type, as SQL.</param>
    /// <param name="isDefaultText">Whether they are texts that the database's own collation orders, which must be by bytes.</param>
    /// <returns><see langword="null"/> if only PostgreSQL can.</returns>
    public static MergeType? TypeOf(string? type, out bool isDefaultText)
    {
        isDefaultText = type is "text" or "character varying";
        return type is null ? null
            : isDefaultText || IsInBytes(type) ? _text
            : _types.GetValueOrDefault(type);
    }

    private static bool IsInBytes(string type) =>
        (type.StartsWith("text COLLATE ", StringComparison.Ordinal) || type.StartsWith("character varying COLLATE ", StringComparison.Ordinal))
        && type[(type.LastIndexOf(' ') + 1)..] is ("\"C\"" or "\"POSIX\"" or "\"ucs_basic\"");

    private static int CompareNumerics(string one, string other)
    {
        var (x, y) = (RankOf(one), RankOf(other));
        if (x != y || x is not (1 or 3))
        {
            return x.CompareTo(y);
        }

        var magnitude = CompareMagnitudes(one.AsSpan().TrimStart('-'), other.AsSpan().TrimStart('-'));
        return x == 1 ? -magnitude : magnitude;
    }

    // The least infinity, negative numbers, zero, positive numbers, the greatest infinity, and NaN above all.
    private static int RankOf(string number) => number switch
    {
        "-Infinity" => 0,
        "Infinity" => 4,
        "NaN" => 5,
        _ when number.AsSpan().IndexOfAnyInRange('1', '9') < 0 => 2,
        _ => number[0] == '-' ? 1 : 3,
    };

    private static int CompareMagnitudes(ReadOnlySpan<char> one, ReadOnlySpan<char> other)
    {
        var wholeOne = WholeOf(one);
        var wholeOther = WholeOf(other);
        if (wholeOne.Length != wholeOther.Length)
        {
            return wholeOne.Length.CompareTo(wholeOther.Length);
        }

        return wholeOne.SequenceCompareTo(wholeOther) is not 0 and var whole ? whole : FractionOf(one).SequenceCompareTo(FractionOf(other));
    }

    private static ReadOnlySpan<char> WholeOf(ReadOnlySpan<char> number) => (number.IndexOf('.') is >= 0 and var point ? number[..point] : number).TrimStart('0');

    private static ReadOnlySpan<char> FractionOf(ReadOnlySpan<char> number) => number.IndexOf('.') is >= 0 and var point ? number[(point + 1)..].TrimEnd('0') : [];

    private static int CompareUuids(Guid one, Guid other)
    {
        Span<byte> x = stackalloc byte[16];
        Span<byte> y = stackalloc byte[16];
        one.TryWriteBytes(x, bigEndian: true, out _);
        other.TryWriteBytes(y, bigEndian: true, out _);
        return x.SequenceCompareTo(y);
    }

    // By code points, as the bytes of UTF-8 are: surrogates stand for greater ones than all other code units.
    private static int CompareTexts(string one, string other)
    {
        var length = Math.Min(one.Length, other.Length);
        var same = one.AsSpan(0, length).CommonPrefixLength(other.AsSpan(0, length));
        if (same == length)
        {
            return one.Length.CompareTo(other.Length);
        }

        var (x, y) = (one[same], other[same]);
        return char.IsSurrogate(x) == char.IsSurrogate(y) ? x.CompareTo(y) : char.IsSurrogate(x) ? 1 : -1;
    }
}
