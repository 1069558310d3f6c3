namespace EfScaling.Sample.Feed;

/// <summary>The one row that says when it was written, so that whoever reads it knows how old the data of that read was.</summary>
internal sealed class Heartbeat
{
    public const int OnlyId = 1;

    public int Id { get; set; } = OnlyId;

    /// <summary>When the row was written, in ticks of the monotonic clock of this process.</summary>
    public long WrittenAt { get; set; }
}
