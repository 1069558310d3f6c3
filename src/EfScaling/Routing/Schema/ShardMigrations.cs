namespace EfScaling.Routing.Schema;

/// <summary>Which migrations a shard has, as its own history table says.</summary>
/// <param name="Applied">The migrations that are applied, oldest first.</param>
/// <param name="Pending">Those of the application that are not, oldest first.</param>
public sealed record ShardMigrations(IReadOnlyList<string> Applied, IReadOnlyList<string> Pending)
{
    /// <summary>Gets the newest migration that is applied; <see langword="null"/> if none is.</summary>
    public string? Version => Applied.Count > 0 ? Applied[^1] : null;
}
