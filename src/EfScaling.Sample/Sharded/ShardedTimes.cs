using EfScaling.Sample.Load;
using EfScaling.Sample.Report;

namespace EfScaling.Sample.Sharded;

/// <summary>How long the operations took. Thread-safe.</summary>
internal sealed class ShardedTimes
{
    private readonly Distribution[] _times = [.. Enum.GetValues<ShardedOperation>().Select(_ => new Distribution())];

    /// <summary>Adds one operation.</summary>
    public void Add(ShardedOperation operation, TimeSpan elapsed) => _times[(int)operation].Add(elapsed);

    /// <summary>Sums up each operation.</summary>
    public IReadOnlyList<LatencySummary> Summarize() => [.. Enum.GetValues<ShardedOperation>().Select(o => LatencySummary.Of(o.ToString(), _times[(int)o]))];
}
