namespace EfScaling.Routing.Shards;

/// <summary>A query or a write concerns more than one shard, or nobody can tell which.</summary>
/// <param name="reason">Why one shard cannot do it.</param>
/// <param name="message">What was attempted, why one shard cannot do it, and the call that mends it.</param>
/// <param name="shards">The shards that are concerned; empty if it is not certain which.</param>
/// <param name="inner">What failed before that; <see langword="null"/> if nothing did.</param>
/// <remarks>Nothing was sent to any shard.</remarks>
public class CrossShardException(CrossShardReason reason, string message, IReadOnlyList<string> shards, Exception? inner = null) : InvalidOperationException(message, inner)
{
    /// <summary>Gets why one shard cannot do it.</summary>
    public CrossShardReason Reason { get; } = reason;

    /// <summary>Gets the shards that are concerned; empty if it is not certain which.</summary>
    public IReadOnlyList<string> Shards { get; } = shards;
}
