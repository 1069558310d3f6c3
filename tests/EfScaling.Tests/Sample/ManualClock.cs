namespace EfScaling.Tests.Sample;

/// <summary>A clock that stands still, in which one tick is a millisecond.</summary>
internal sealed class ManualClock : TimeProvider
{
    public override long TimestampFrequency => 1_000;
}
