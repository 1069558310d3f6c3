using System.Globalization;

namespace EfScaling.Routing.Checks;

/// <summary>What <c>VerifyPlacementAsync</c> found.</summary>
/// <param name="Tables">The result of each table on each shard.</param>
/// <param name="Elapsed">How long it took.</param>
public sealed record PlacementResult(IReadOnlyList<TablePlacementResult> Tables, TimeSpan Elapsed)
{
    /// <summary>Gets whether every row is where it belongs, and every reference table the same on all shards.</summary>
    public bool IsRight => Tables.All(t => t.IsRight);

    /// <summary>Gets how many rows were looked at.</summary>
    public long Rows => Tables.Sum(t => t.Rows);

    /// <summary>Gets how many of them belong to another shard.</summary>
    public long Misplaced => Tables.Sum(t => t.Misplaced);

    /// <summary>Tells in words what is wrong, without values of keys.</summary>
    public override string ToString()
    {
        var lines = Tables.Where(t => !t.IsRight).Select(t => t.Difference is { } difference
            ? $"\n- '{t.Table}' on shard '{t.Shard}': {difference}"
            : string.Create(CultureInfo.InvariantCulture, $"\n- '{t.Table}' on shard '{t.Shard}': {t.Misplaced} of {t.Rows} rows belong elsewhere{Places(t)}"));
        return string.Create(CultureInfo.InvariantCulture, $"{Misplaced} of {Rows} rows misplaced, in {Elapsed.TotalSeconds:0.0} s{string.Concat(lines)}");
    }

    private static string Places(TablePlacementResult table) =>
        table.Examples.Count == 0
            ? string.Empty
            : $", such as on {string.Join(", ", table.Examples.Select(e => e.BelongsTo is { } shard ? $"'{shard}'" : "no shard").Distinct(StringComparer.Ordinal))}";
}
