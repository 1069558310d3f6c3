using System.Globalization;
using EfScaling.Caching;
using EfScaling.Consistency;

namespace EfScaling.Routing;

/// <summary>What translation found out about a query: whether it may leave the primary, and what it asks for.</summary>
/// <param name="Obstacle">Why the query must stay on the primary; <see langword="null"/> if it may leave.</param>
/// <param name="Hints">What the query asks for.</param>
/// <param name="CacheHints">What it says about caching, or its entities do.</param>
internal sealed record QueryPlan(RoutingReason? Obstacle, QueryHints Hints, CacheHints CacheHints)
{
    // Not to be guessed: a tag that an application makes from its users' input must not be taken for a plan.
    private static readonly string _tagPrefix = $"EfScaling.Plan {Guid.NewGuid():N} ";

    /// <summary>
    /// Writes the plan as a tag. Of all that translation can attach to a query only the tags survive to the SQL generator, which needs the plan to
    /// hand it to the command: annotations of a SelectExpression cannot be set (EF throws), and its instance is replaced.
    /// </summary>
    public string ToTag() =>
        string.Create(CultureInfo.InvariantCulture, $"{_tagPrefix}{(int?)Obstacle ?? -1} {(int)Hints.Target} {Hints.MaxStaleness?.Ticks ?? -1} {(int?)Hints.Contract ?? -1} {Uri.EscapeDataString(Hints.Shard ?? string.Empty)} {CacheHints.ToText()}");

    /// <summary>Returns the tag that carries the plan, or <see langword="null"/>.</summary>
    public static string? FindTag(ISet<string> tags) => tags.FirstOrDefault(t => t.StartsWith(_tagPrefix, StringComparison.Ordinal));

    /// <summary>Reads what <see cref="ToTag"/> has written.</summary>
    public static QueryPlan FromTag(string tag)
    {
        var fields = tag[_tagPrefix.Length..].Split(' ');
        var obstacle = int.Parse(fields[0], CultureInfo.InvariantCulture);
        var staleness = long.Parse(fields[2], CultureInfo.InvariantCulture);
        var contract = int.Parse(fields[3], CultureInfo.InvariantCulture);
        return new QueryPlan(
            obstacle < 0 ? null : (RoutingReason)obstacle,
            new QueryHints(
                (ReadTarget)int.Parse(fields[1], CultureInfo.InvariantCulture),
                staleness < 0 ? null : TimeSpan.FromTicks(staleness),
                contract < 0 ? null : (ReadContract)contract,
                fields[4].Length == 0 ? null : Uri.UnescapeDataString(fields[4])),
            CacheHints.FromText(fields[5]));
    }

    /// <summary>Gets whether the query certainly neither writes nor calls what may write.</summary>
    public bool OnlyReads => Hints.Target != ReadTarget.Replica && Obstacle is null or RoutingReason.TrackedRead or RoutingReason.TrackedWithoutToken;

    /// <summary>Decides from the plan alone whether the query stays on the primary.</summary>
    /// <returns>The reason to stay, or <see langword="null"/>.</returns>
    public RoutingReason? StaysOnPrimary() => Hints.Target == ReadTarget.Primary ? RoutingReason.PrimaryRequested : Obstacle;
}
