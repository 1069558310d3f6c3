using System.Diagnostics;
using EfScaling.Diagnostics;

namespace EfScaling.Caching;

/// <summary>What the cache did for a query, and why.</summary>
/// <param name="Outcome">What it did.</param>
/// <param name="Detail">What exactly kept the result from being cached, such as a function or a type; <see langword="null"/> if the outcome says it all.</param>
public readonly record struct CacheDecision(CacheOutcome Outcome, string? Detail = null)
{
    /// <summary>Gets whether the query was answered without a database.</summary>
    public bool IsHit => Outcome is CacheOutcome.LocalHit or CacheOutcome.Hit or CacheOutcome.Joined or CacheOutcome.StaleHit or CacheOutcome.DownHit;

    private string Answer => Outcome switch
    {
        CacheOutcome.LocalHit or CacheOutcome.StaleHit or CacheOutcome.DownHit or CacheOutcome.Joined => "l1",
        CacheOutcome.Hit => "l2",
        CacheOutcome.Absent or CacheOutcome.Stale or CacheOutcome.Unreadable or CacheOutcome.WrittenTooOften => "miss",
        _ => "bypass",
    };

    /// <summary>Counts it, and tags the activity that is current with it if somebody samples that.</summary>
    internal void Record()
    {
        if (QueryCacheMeter.CountsLookups)
        {
            QueryCacheMeter.CountLookup(Outcome.ToString());
        }

        Tag();
    }

    /// <summary>Tags the activity that is current with it if somebody samples that.</summary>
    internal void Tag()
    {
        if (Activity.Current is { IsAllDataRequested: true } activity)
        {
            activity.SetTag("db.efscaling.cache", Answer);
            activity.SetTag("db.efscaling.cache.reason", Outcome.ToString());
        }
    }

    /// <summary>Writes the outcome, and the detail if there is one.</summary>
    public override string ToString() => Detail is null ? Outcome.ToString() : $"{Outcome}: {Detail}";
}
