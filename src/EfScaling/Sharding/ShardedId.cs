using System.Globalization;

namespace EfScaling.Sharding;

/// <summary>Ids of 64 bits that are ordered by time and tell the bucket of their row, so that a row is found by its id alone.</summary>
/// <remarks>
/// <para>From the highest bit:</para>
/// <list type="bullet">
/// <item>1 bit: zero, so that ids are positive.</item>
/// <item>41 bits: milliseconds since 2020-01-01 UTC, which last until September 2089.</item>
/// <item>10 bits: the bucket, up to 1,024.</item>
/// <item>7 bits: the number of the generator, up to 128 at a time.</item>
/// <item>5 bits: a sequence, 32 ids of a millisecond, bucket and generator; with all generators 4,096 of a millisecond and bucket.</item>
/// </list>
/// <para>
/// Two generators never make the same id while no two use one number at a time. Numbers are few on purpose: random bits in their place would collide once in
/// minutes under load. Ids tell when a row was made and roughly by whom; do not show them where that is a secret.
/// </para>
/// </remarks>
public static class ShardedId
{
    /// <summary>The greatest number of buckets that an id can tell.</summary>
    public const int MaxBuckets = 1 << BucketBits;

    /// <summary>How many generators can make ids at a time; they are numbered from zero.</summary>
    public const int MaxGenerators = 1 << GeneratorBits;

    internal const int SequenceBits = 5;
    internal const int MillisecondBits = 41;
    private const int BucketBits = 10;
    private const int GeneratorBits = 7;
    private const int BucketShift = GeneratorBits + SequenceBits;
    private const int MillisecondShift = BucketBits + BucketShift;

    /// <summary>The beginning of time for ids: 2020-01-01 UTC.</summary>
    public static readonly DateTimeOffset Epoch = new(2020, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>Returns the bucket that an id carries.</summary>
    /// <param name="id">An id made by <see cref="ShardedIdGenerator"/>; others give some bucket that means nothing.</param>
    /// <exception cref="ArgumentOutOfRangeException">The id is negative.</exception>
    public static int BucketOf(long id) => (int)(Valid(id) >> BucketShift) & (MaxBuckets - 1);

    /// <summary>Returns the number of the generator that made an id.</summary>
    /// <param name="id">An id made by <see cref="ShardedIdGenerator"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">The id is negative.</exception>
    public static int GeneratorOf(long id) => (int)(Valid(id) >> SequenceBits) & (MaxGenerators - 1);

    /// <summary>Returns when an id was made, to the millisecond; later than it was by the milliseconds that a burst had borrowed.</summary>
    /// <param name="id">An id made by <see cref="ShardedIdGenerator"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">The id is negative.</exception>
    public static DateTimeOffset TimeOf(long id) => Epoch.AddMilliseconds(Valid(id) >> MillisecondShift);

    /// <summary>Puts an id together from parts that are within their limits.</summary>
    internal static long Of(long millisecond, int bucket, int generator, int sequence) =>
        (millisecond << MillisecondShift) | ((long)bucket << BucketShift) | ((long)generator << SequenceBits) | (long)sequence;

    /// <summary>Returns the SQL of the bucket that the ids of a column carry.</summary>
    internal static string BucketSql(string column) => string.Create(CultureInfo.InvariantCulture, $"(({column} >> {BucketShift}) & {MaxBuckets - 1})");

    /// <summary>Returns the millisecond that an id carries.</summary>
    internal static long MillisecondOf(long id) => id >> MillisecondShift;

    /// <summary>Returns the millisecond of a moment.</summary>
    internal static long MillisecondOf(DateTimeOffset moment) => (moment.UtcTicks - Epoch.UtcTicks) / TimeSpan.TicksPerMillisecond;

    private static long Valid(long id) =>
        id >= 0 ? id : throw new ArgumentOutOfRangeException(nameof(id), "A part of a sharded id was asked for, but the number is negative. Give an id made by 'ShardedIdGenerator'.");
}
