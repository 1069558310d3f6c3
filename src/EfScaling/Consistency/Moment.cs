namespace EfScaling.Consistency;

/// <summary>A moment on this process's monotonic clock.</summary>
/// <param name="Timestamp">Ticks of <see cref="TimeProvider.GetTimestamp"/>; only moments of one clock compare.</param>
/// <remarks>Server clocks and wall clocks never take part in a judgement: they differ between hosts and jump.</remarks>
internal readonly record struct Moment(long Timestamp) : IComparable<Moment>
{
    /// <summary>The moment before every other; as a demand it asks for nothing.</summary>
    public static readonly Moment Never = new(long.MinValue);

    public static bool operator <(Moment left, Moment right) => left.Timestamp < right.Timestamp;

    public static bool operator >(Moment left, Moment right) => left.Timestamp > right.Timestamp;

    public static bool operator <=(Moment left, Moment right) => left.Timestamp <= right.Timestamp;

    public static bool operator >=(Moment left, Moment right) => left.Timestamp >= right.Timestamp;

    /// <summary>Reads the clock.</summary>
    public static Moment Now(TimeProvider clock) => new(clock.GetTimestamp());

    /// <summary>Returns the later of two moments.</summary>
    public static Moment Later(Moment left, Moment right) => left >= right ? left : right;

    /// <inheritdoc />
    public int CompareTo(Moment other) => Timestamp.CompareTo(other.Timestamp);

    /// <summary>Returns the time from this moment to <paramref name="later"/>; infinite for <see cref="Never"/>.</summary>
    public TimeSpan Until(Moment later, TimeProvider clock) =>
        this == Never ? TimeSpan.MaxValue : clock.GetElapsedTime(Timestamp, later.Timestamp);

    /// <summary>Returns the moment that lies <paramref name="span"/> after this one.</summary>
    public Moment Plus(TimeSpan span, TimeProvider clock) => new(Timestamp + (long)(span.TotalSeconds * clock.TimestampFrequency));
}
