using System.Globalization;

namespace EfScaling.Sharding;

/// <summary>Makes ids of 64 bits that are ordered by time and carry the bucket of their row; <see cref="ShardedId"/> tells their layout.</summary>
/// <remarks>
/// <para>Thread-safe without locks; one per process, shared by all.</para>
/// <para>
/// Ids of a bucket always rise, whatever the clock does; ids of different buckets rise with the milliseconds of the clock, and a clock that goes backwards
/// stands still for them. A bucket that needs more than 32 ids in a millisecond takes them from the milliseconds to come, and so its ids run ahead of the
/// clock by 1 ms for each 32 ids of the burst.
/// </para>
/// <para>
/// No two generators that run at a time may have the same number, over all processes that write to the same shards. Before a number is used again, in a process
/// that is started anew for example, the clock must have passed <see cref="UsedUntil"/> of the generator that had it; give the moment up to which ids may have
/// been made as <c>notBefore</c> if that is in doubt.
/// </para>
/// </remarks>
public sealed class ShardedIdGenerator
{
    private const long LastMillisecond = (1L << ShardedId.MillisecondBits) - 1;

    private readonly TimeProvider _clock;

    // For each bucket the last id's millisecond and, in the lowest bits, its sequence: one more is the next, in the next millisecond if need be.
    private readonly long[] _last = new long[ShardedId.MaxBuckets];

    // The latest millisecond that the clock has shown.
    private long _latest;
    private long _limit = LastMillisecond;

    /// <summary>Creates a generator.</summary>
    /// <param name="number">The generator's number, from 0 to 127, which no other one has at the time.</param>
    /// <param name="clock">Tells the time; <see langword="null"/> for the system's clock.</param>
    /// <param name="notBefore">No id is of this moment or before; <see langword="null"/> for no limit but the clock.</param>
    /// <exception cref="ArgumentOutOfRangeException">The number or the moment is out of range.</exception>
    public ShardedIdGenerator(int number, TimeProvider? clock = null, DateTimeOffset? notBefore = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(number);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(number, ShardedId.MaxGenerators);
        Number = number;
        _clock = clock ?? TimeProvider.System;
        if (notBefore is { } moment && moment >= ShardedId.Epoch)
        {
            _latest = ShardedId.MillisecondOf(moment) + 1;
            ArgumentOutOfRangeException.ThrowIfGreaterThan(_latest, LastMillisecond, nameof(notBefore));
        }
    }

    /// <param name="number">The generator's number.</param>
    /// <param name="clock">Tells the time.</param>
    /// <param name="behind">The millisecond up to which ids may have been made.</param>
    internal ShardedIdGenerator(int number, TimeProvider clock, long behind)
        : this(number, clock) => _latest = behind + 1;

    /// <summary>Gets or sets the last millisecond of which ids may be made.</summary>
    internal long Limit
    {
        get => Volatile.Read(ref _limit);
        set => Volatile.Write(ref _limit, value);
    }

    /// <summary>Gets the number of the generator, which its ids carry.</summary>
    public int Number { get; }

    /// <summary>Gets the moment up to which ids may have been made; ahead of the clock after bursts, or if the clock went backwards.</summary>
    /// <remarks>Looks at every bucket; not for each id.</remarks>
    public DateTimeOffset UsedUntil => ShardedId.Epoch.AddMilliseconds(UsedMillisecond);

    /// <summary>Gets the millisecond up to which ids may have been made.</summary>
    internal long UsedMillisecond
    {
        get
        {
            var latest = Volatile.Read(ref _latest);
            for (var bucket = 0; bucket < _last.Length; bucket++)
            {
                latest = Math.Max(latest, Volatile.Read(ref _last[bucket]) >> ShardedId.SequenceBits);
            }

            return latest;
        }
    }

    /// <summary>Makes the next id of a bucket.</summary>
    /// <param name="bucket">From 0 to 1,023.</param>
    /// <returns>A positive number, greater than every id of the bucket before it.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The bucket is out of range.</exception>
    /// <exception cref="InvalidOperationException">The clock shows a time before 2020, or after the time that ids can hold.</exception>
    public long Next(int bucket) => TryNext(bucket, out var id) ? id : throw OutOfTime();

    /// <summary>Makes the next id of a bucket, unless it would lie behind <see cref="Limit"/>.</summary>
    internal bool TryNext(int bucket, out long id)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bucket);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(bucket, ShardedId.MaxBuckets);
        id = 0;
        var first = LatestMillisecond() << ShardedId.SequenceBits;
        ref var last = ref _last[bucket];
        var seen = Volatile.Read(ref last);
        while (true)
        {
            var next = Math.Max(seen + 1, first);
            var millisecond = next >> ShardedId.SequenceBits;
            if (millisecond > Limit)
            {
                return false;
            }

            var found = Interlocked.CompareExchange(ref last, next, seen);
            if (found == seen)
            {
                id = ShardedId.Of(millisecond, bucket, Number, (int)next & ((1 << ShardedId.SequenceBits) - 1));
                return true;
            }

            seen = found;
        }
    }

    private static InvalidOperationException OutOfTime() => new(string.Create(
        CultureInfo.InvariantCulture,
        $"A sharded id was asked for, but the clock is outside of the time that ids can hold, which is from {ShardedId.Epoch:yyyy-MM-dd} to {ShardedId.Epoch.AddMilliseconds(LastMillisecond):yyyy-MM-dd}. Set the clock right."));

    private long LatestMillisecond()
    {
        var now = ShardedId.MillisecondOf(_clock.GetUtcNow());
        var latest = Volatile.Read(ref _latest);
        if (now > LastMillisecond)
        {
            // Never taken in: a clock that is set right again must find the generator as it was.
            throw OutOfTime();
        }

        while (now > latest)
        {
            var found = Interlocked.CompareExchange(ref _latest, now, latest);
            if (found == latest)
            {
                return now;
            }

            latest = found;
        }

        // Zero only if neither the clock nor the limit has ever shown a time that ids can hold.
        return latest > 0 ? latest : throw OutOfTime();
    }
}
