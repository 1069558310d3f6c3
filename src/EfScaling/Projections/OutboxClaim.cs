namespace EfScaling.Projections;

/// <summary>What one transaction of a dispatcher has to apply.</summary>
/// <param name="Version">Higher than that of every earlier claim of one of the keys.</param>
/// <param name="Keys">The keys; empty if there is nothing to do, or others do it.</param>
internal sealed record OutboxClaim(long Version, IReadOnlyList<ClaimedKey> Keys)
{
    /// <summary>Gets the claim of nothing.</summary>
    public static OutboxClaim Nothing { get; } = new(0, []);

    /// <summary>Gets the rows of all keys.</summary>
    public long[] Ids => [.. Keys.SelectMany(k => k.Ids)];
}
