namespace EfScaling.Routing.Checks;

/// <summary>Something that is wrong, or may go wrong, with a shard.</summary>
/// <param name="Shard">The name of the shard.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Description">What it is in words, and what mends it.</param>
/// <param name="Failure">The failure of a shard that could not be reached; <see langword="null"/> for others.</param>
public sealed record ShardFinding(string Shard, ShardFindingKind Kind, string Description, Exception? Failure = null)
{
    /// <summary>Gets whether the shard cannot be used as it is, rather than only be watched.</summary>
    public bool IsError => Kind <= ShardFindingKind.MapDiffers;

    /// <inheritdoc />
    public override string ToString() => $"shard '{Shard}': {Description}";
}
