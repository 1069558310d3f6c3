using System.Diagnostics.CodeAnalysis;

namespace EfScaling.Routing.Shards;

/// <summary>What became of the work on one shard.</summary>
/// <typeparam name="T">What the work returns.</typeparam>
/// <param name="Shard">The name of the shard.</param>
/// <param name="Value">What the work returned; the default if it failed.</param>
/// <param name="Failure">Why it failed; <see langword="null"/> if it did not.</param>
public sealed record ShardResult<T>(string Shard, T? Value, Exception? Failure)
{
    /// <summary>Gets whether the work was done.</summary>
    [MemberNotNullWhen(false, nameof(Failure))]
    public bool IsDone => Failure is null;
}
