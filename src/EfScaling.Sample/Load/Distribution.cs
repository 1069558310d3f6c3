namespace EfScaling.Sample.Load;

/// <summary>Counts times in buckets that grow by 2 %, so that percentiles of a load of any length are known to 2 % in constant memory.</summary>
/// <remarks>From a microsecond, below which a time counts as zero, to five hours. Thread-safe.</remarks>
internal sealed class Distribution
{
    private const double Growth = 1.02;
    private const double SmallestSeconds = 1e-6;

    private readonly long[] _buckets = new long[1_200];
    private long _maxTicks;

    /// <summary>Gets how many times were added.</summary>
    public long Count => _buckets.Sum();

    /// <summary>Gets the longest time, exactly; <see langword="null"/> when there is none.</summary>
    public TimeSpan? Max => Count == 0 ? null : TimeSpan.FromTicks(Interlocked.Read(ref _maxTicks));

    /// <summary>Adds a time.</summary>
    public void Add(TimeSpan time)
    {
        var bucket = (int)Math.Ceiling(Math.Log(Math.Max(time.TotalSeconds / SmallestSeconds, 1), Growth));
        Interlocked.Increment(ref _buckets[Math.Min(bucket, _buckets.Length - 1)]);
        for (var max = Interlocked.Read(ref _maxTicks); time.Ticks > max; max = Interlocked.Read(ref _maxTicks))
        {
            Interlocked.CompareExchange(ref _maxTicks, time.Ticks, max);
        }
    }

    /// <summary>Returns the time that the given share of all times does not exceed; <see langword="null"/> when there is none.</summary>
    /// <param name="share">Greater than 0, at most 1.</param>
    public TimeSpan? Percentile(double share)
    {
        var wanted = (long)Math.Ceiling(Count * share);
        if (wanted == 0)
        {
            return null;
        }

        var bucket = 0;
        for (var seen = _buckets[0]; seen < wanted && bucket < _buckets.Length - 1; seen += _buckets[bucket])
        {
            bucket++;
        }

        var upper = bucket == 0 ? 0 : SmallestSeconds * Math.Pow(Growth, bucket);
        return TimeSpan.FromSeconds(Math.Min(upper, Max!.Value.TotalSeconds));
    }
}
