namespace EfScaling.Routing.Transactions;

/// <summary>What recovery has found and done.</summary>
/// <param name="Committed">How many prepared parts it has committed.</param>
/// <param name="RolledBack">How many prepared parts it has rolled back.</param>
/// <param name="Remaining">What is still prepared, with the reason: it is under way, or a shard does not answer.</param>
/// <param name="Unreachable">The shards that could not be asked, with the reason.</param>
public sealed record RecoveryResult(int Committed, int RolledBack, IReadOnlyList<InDoubtTransaction> Remaining, IReadOnlyDictionary<string, string> Unreachable)
{
    /// <summary>Gets whether nothing is prepared on any shard, and all were asked.</summary>
    public bool IsClean => Remaining.Count == 0 && Unreachable.Count == 0;
}
