namespace EfScaling.Routing.Checks;

/// <summary>What <c>CheckShardsAsync</c> found.</summary>
/// <param name="Findings">Everything that was found, in the order of the shards; empty if all is well.</param>
public sealed record ShardsCheckResult(IReadOnlyList<ShardFinding> Findings)
{
    /// <summary>Gets whether every shard can be used. There may be warnings.</summary>
    public bool IsHealthy => !Findings.Any(f => f.IsError);

    /// <summary>Refuses to go on if a shard cannot be used.</summary>
    /// <exception cref="InvalidOperationException">There are errors; the message has all of them.</exception>
    public void ThrowIfUnhealthy()
    {
        var errors = Findings.Where(f => f.IsError).ToList();
        if (errors.Count > 0)
        {
            throw new InvalidOperationException(
                $"The shards were checked, and cannot be used as they are:\n- {string.Join("\n- ", errors)}",
                errors.Find(e => e.Failure is not null)?.Failure);
        }
    }

    /// <inheritdoc />
    public override string ToString() => Findings.Count == 0 ? "all shards are well" : string.Join('\n', Findings);
}
