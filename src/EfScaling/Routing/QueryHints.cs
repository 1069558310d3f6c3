using System.Globalization;
using EfScaling.Consistency;

namespace EfScaling.Routing;

/// <summary>What <c>AsPrimary</c>, <c>AsReplica</c>, <c>WithMaxStaleness</c>, <c>WithContract</c> and <c>OnShard</c> say about a query.</summary>
/// <param name="Target">Where the query wants to run.</param>
/// <param name="MaxStaleness">How old its data may be; <see langword="null"/> for the context's limit.</param>
/// <param name="Contract">What it asks of the data; <see langword="null"/> for the context's contract.</param>
/// <param name="Shard">The shard that it runs on; <see langword="null"/> for the one that its keys tell.</param>
/// <remarks>
/// Hints travel as query tags from the operator to the translation: tags are EF's public way to attach something to a query that does not change its
/// result, and without <c>UseReadReplicas</c> they are harmless comments. The translation takes them out again, so they never reach the SQL.
/// </remarks>
internal readonly record struct QueryHints(ReadTarget Target, TimeSpan? MaxStaleness, ReadContract? Contract = null, string? Shard = null)
{
    /// <summary>The tag of <c>AsPrimary</c>.</summary>
    public const string PrimaryTag = Prefix + "AsPrimary";

    /// <summary>The tag of <c>AsReplica</c>.</summary>
    public const string ReplicaTag = Prefix + "AsReplica";

    private const string Prefix = "EfScaling:";
    private const string StalenessPrefix = Prefix + "MaxStaleness=";
    private const string ContractPrefix = Prefix + "Contract=";
    private const string ShardPrefix = Prefix + "Shard=";

    /// <summary>Returns the tag of <c>WithMaxStaleness</c>.</summary>
    public static string StalenessTag(TimeSpan limit) => StalenessPrefix + RoundDown(limit).Ticks.ToString(CultureInfo.InvariantCulture);

    /// <summary>Returns the tag of <c>WithContract</c>.</summary>
    public static string ContractTag(ReadContract contract) => contract == ReadContract.Primary ? PrimaryTag : ContractPrefix + contract;

    /// <summary>Returns the tag of <c>OnShard</c>.</summary>
    public static string ShardTag(string shard) => ShardPrefix + shard;

    /// <summary>Returns a time with two significant digits, not above the given one.</summary>
    /// <remarks>A tag is part of the query that EF caches: this keeps the number of variants small whatever the application computes.</remarks>
    public static TimeSpan RoundDown(TimeSpan limit)
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

    /// <summary>
    /// Takes the hints out of a query's tags. The stricter wins: the primary over a replica, the shorter limit over the longer, the session over what does
    /// without.
    /// </summary>
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

    private QueryHints? With(string tag) => tag switch
    {
        PrimaryTag => this with { Target = ReadTarget.Primary },
        ReplicaTag => this with { Target = Target == ReadTarget.Primary ? ReadTarget.Primary : ReadTarget.Replica },
        _ when tag.StartsWith(StalenessPrefix, StringComparison.Ordinal)
            && long.TryParse(tag.AsSpan(StalenessPrefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var ticks) => With(TimeSpan.FromTicks(ticks)),
        _ when tag.StartsWith(ContractPrefix, StringComparison.Ordinal) && Enum.TryParse<ReadContract>(tag.AsSpan(ContractPrefix.Length), out var contract) => With(contract),
        _ when tag.StartsWith(ShardPrefix, StringComparison.Ordinal) => WithShard(tag[ShardPrefix.Length..]),
        _ => null,
    };

    private QueryHints WithShard(string shard) =>
        Shard is null || Shard == shard
            ? this with { Shard = shard }
            : throw new InvalidOperationException($"A query was to run on the shards '{Shard}' and '{shard}' at once. Call OnShard(...) once.");

    private QueryHints With(ReadContract contract) => this with { Contract = Contract < contract ? Contract : contract };

    private QueryHints With(TimeSpan limit) => this with { MaxStaleness = MaxStaleness < limit ? MaxStaleness : limit };
}
