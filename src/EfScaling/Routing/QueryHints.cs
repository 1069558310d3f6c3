using System.Globalization;

namespace EfScaling.Routing;

/// <summary>What <c>AsPrimary</c>, <c>AsReplica</c> and <c>WithMaxStaleness</c> say about a query.</summary>
/// <param name="Target">Where the query wants to run.</param>
/// <param name="MaxStaleness">How old its data may be; <see langword="null"/> for the context's limit.</param>
/// <remarks>
/// Hints travel as query tags from the operator to the translation: tags are EF's public way to attach something to a query that does not change its
/// result, and without <c>UseReadReplicas</c> they are harmless comments. The translation takes them out again, so they never reach the SQL.
/// </remarks>
internal readonly record struct QueryHints(ReadTarget Target, TimeSpan? MaxStaleness)
{
    /// <summary>The tag of <c>AsPrimary</c>.</summary>
    public const string PrimaryTag = Prefix + "AsPrimary";

    /// <summary>The tag of <c>AsReplica</c>.</summary>
    public const string ReplicaTag = Prefix + "AsReplica";

    private const string Prefix = "EfScaling:";
    private const string StalenessPrefix = Prefix + "MaxStaleness=";

    /// <summary>Returns the tag of <c>WithMaxStaleness</c>.</summary>
    public static string StalenessTag(TimeSpan limit) => StalenessPrefix + RoundDown(limit).Ticks.ToString(CultureInfo.InvariantCulture);

    /// <summary>Takes the hints out of a query's tags. The stricter wins: the primary over a replica, the shorter limit over the longer.</summary>
    public static QueryHints TakeFrom(ISet<string> tags)
    {
        var hints = default(QueryHints);
        foreach (var tag in tags.Where(t => t.StartsWith(Prefix, StringComparison.Ordinal)).ToList())
        {
            // A tag of the application that only looks like ours stays where it is.
            if (hints.With(tag) is { } more)
            {
                tags.Remove(tag);
                hints = more;
            }
        }

        return hints;
    }

    // A tag is part of the query that EF caches. Two significant digits keep the number of variants small whatever the application computes, and rounding
    // down keeps the promise.
    private static TimeSpan RoundDown(TimeSpan limit)
    {
        if (limit == TimeSpan.MaxValue)
        {
            return limit;
        }

        var unit = 1L;
        while (limit.Ticks / unit >= 100)
        {
            unit *= 10;
        }

        return TimeSpan.FromTicks(limit.Ticks / unit * unit);
    }

    private QueryHints? With(string tag) => tag switch
    {
        PrimaryTag => this with { Target = ReadTarget.Primary },
        ReplicaTag => this with { Target = Target == ReadTarget.Primary ? ReadTarget.Primary : ReadTarget.Replica },
        _ when tag.StartsWith(StalenessPrefix, StringComparison.Ordinal)
            && long.TryParse(tag.AsSpan(StalenessPrefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var ticks) => With(TimeSpan.FromTicks(ticks)),
        _ => null,
    };

    private QueryHints With(TimeSpan limit) => this with { MaxStaleness = MaxStaleness < limit ? MaxStaleness : limit };
}
