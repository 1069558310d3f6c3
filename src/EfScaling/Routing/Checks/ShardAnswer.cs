namespace EfScaling.Routing.Checks;

/// <summary>What the primary of a shard says about itself.</summary>
internal sealed record ShardAnswer(
    string Database, string SystemId, uint Oid, int ServerVersion, bool IsReadOnly, bool HashesAlike, IReadOnlyDictionary<string, string> Collations)
{
    /// <summary>Gets the names of collations whose version is another than the one that the database was made with.</summary>
    public IReadOnlyList<string> Outdated { get; init; } = [];

    /// <summary>Gets the maps that the shard was set up with; <see langword="null"/> if it has no record.</summary>
    public IReadOnlyDictionary<string, (long Version, string Fingerprint)>? Maps { get; init; }

    /// <summary>Gets how many transactions the server can keep prepared.</summary>
    public int MaxPrepared { get; init; }

    /// <summary>Gets whether the shard has a table of decisions.</summary>
    public bool HasDecisions { get; init; }

    /// <summary>Gets for how long the oldest part of a transaction over several shards has been prepared, in seconds.</summary>
    public double OldestPrepared { get; init; }
}
