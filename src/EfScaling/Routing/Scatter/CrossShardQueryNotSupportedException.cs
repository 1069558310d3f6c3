using EfScaling.Routing.Shards;

namespace EfScaling.Routing.Scatter;

/// <summary>A query concerns several shards, and its shape cannot be answered from them as one database would answer it.</summary>
/// <param name="reason">Why one shard cannot answer it.</param>
/// <param name="message">What was attempted, why it cannot be done, and the call that mends it.</param>
/// <param name="shards">The shards that are concerned; empty if it is not certain which.</param>
/// <param name="rule">The rule that the query breaks.</param>
/// <param name="fragment">The part of the query that breaks it, as SQL.</param>
/// <param name="inner">What kept the fallback coordinator from answering it; <see langword="null"/> if nothing failed.</param>
/// <remarks>Nothing was sent to any shard.</remarks>
public sealed class CrossShardQueryNotSupportedException(
    CrossShardReason reason, string message, IReadOnlyList<string> shards, ScatterRule rule, string fragment, Exception? inner = null)
    : CrossShardException(reason, message, shards, inner)
{
    /// <summary>Gets the rule that the query breaks.</summary>
    public ScatterRule Rule { get; } = rule;

    /// <summary>Gets the part of the query that breaks it, as SQL.</summary>
    public string Fragment { get; } = fragment;
}
