namespace EfScaling.Caching;

/// <summary>What the cache did for a query, and why.</summary>
/// <param name="Outcome">What it did.</param>
/// <param name="Detail">What exactly kept the result from being cached, such as a function or a type; <see langword="null"/> if the outcome says it all.</param>
public readonly record struct CacheDecision(CacheOutcome Outcome, string? Detail = null)
{
    /// <summary>Gets whether the query was answered without a database.</summary>
    public bool IsHit => Outcome is CacheOutcome.LocalHit or CacheOutcome.Hit or CacheOutcome.Joined or CacheOutcome.StaleHit;

    /// <summary>Writes the outcome, and the detail if there is one.</summary>
    public override string ToString() => Detail is null ? Outcome.ToString() : $"{Outcome}: {Detail}";
}
