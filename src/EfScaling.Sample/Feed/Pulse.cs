namespace EfScaling.Sample.Feed;

/// <summary>The heartbeat as one server showed it.</summary>
/// <param name="WrittenAt">When the row was written, in ticks of the monotonic clock of this process.</param>
/// <param name="IsStandby">What the server that answered says of itself.</param>
internal sealed record Pulse(long WrittenAt, bool IsStandby);
