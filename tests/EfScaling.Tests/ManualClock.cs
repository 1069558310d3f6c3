using EfScaling.Consistency;

namespace EfScaling.Tests;

/// <summary>A clock that stands still until it is told to advance.</summary>
/// <remarks>Its frequency is neither that of <see cref="TimeSpan"/> nor that of the machine, so that ticks of one taken for the other show.</remarks>
internal sealed class ManualClock : TimeProvider
{
    private long _microseconds = 5_000_000_000;

    public override long TimestampFrequency => 1_000_000;

    public Moment Now => Moment.Now(this);

    /// <summary>How far the time of day is from the truth.</summary>
    public TimeSpan WrongBy { get; init; }

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + WrongBy;

    public override long GetTimestamp() => _microseconds;

    public Moment Advance(TimeSpan time)
    {
        _microseconds += (long)time.TotalMicroseconds;
        return Now;
    }

    public Moment Ago(TimeSpan time) => Now.Plus(-time, this);
}
