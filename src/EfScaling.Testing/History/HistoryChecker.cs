using EfScaling.Consistency;
using EfScaling.Topology;

namespace EfScaling.Testing.History;

/// <summary>Checks a history against every <see cref="HistoryRule"/>.</summary>
/// <remarks>
/// Pure: knows nothing but the events. An operation counts as earlier than another only if it had ended when the other one began, so that operations at the
/// same time prove nothing against each other.
/// </remarks>
public static class HistoryChecker
{
    // So few reads may all have met a monitor that was kept from the processor.
    private const int LeastQuietReads = 20;

    /// <summary>Checks a history.</summary>
    /// <param name="history">Its events, in any order. Each register has one writer, which writes 1, 2, 3 and so on, one after another; numbers may be left out.</param>
    /// <param name="limits">How late query caches may learn of writes; <see langword="null"/> if there are none.</param>
    /// <returns>The violations, in the order of their breaches; empty for a history that kept every rule.</returns>
    public static IReadOnlyList<HistoryViolation> Check(IEnumerable<HistoryEvent> history, CacheLimits? limits = null)
    {
        ArgumentNullException.ThrowIfNull(history);
        HistoryEvent[] events = [.. history];
        var publications = new Publications(events, limits ?? new CacheLimits(TimeSpan.Zero, TimeSpan.Zero));
        IEnumerable<HistoryViolation> violations =
        [
            .. events.Where(e => e.Operation is HistoryOperation.Write or HistoryOperation.Read).GroupBy(e => e.Register).SelectMany(g => CheckRegister([.. g], publications)),
            .. events.Where(e => e.Operation == HistoryOperation.Quiet).SelectMany(q => CheckQuiet(q, events)),
        ];
        return [.. violations.OrderBy(v => v.Breach.Ended)];
    }

    internal static bool IsHit(HistoryEvent read) => read.Routing is { Role: NodeRole.Cache };

    // How long a cluster must have been at rest until a read with a limit finds a replica: one that was too stale is watched for a while before it serves again.
    internal static TimeSpan GraceFor(TimeSpan limit) => (limit * 1.5) + TimeSpan.FromMilliseconds(500);

    private static IEnumerable<HistoryViolation> CheckRegister(HistoryEvent[] events, Publications publications)
    {
        var writes = events.Where(e => e.Operation == HistoryOperation.Write).ToLookup(e => e.Value);
        var acknowledged = new HighWater(Acknowledged(events));
        var cached = new CachedRegister([.. Acknowledged(events)], publications);
        foreach (var read in events.Where(e => e.Operation == HistoryOperation.Read))
        {
            if (read.Value != 0 && !writes[read.Value].Any(w => w.Outcome != HistoryOutcome.Refused && w.Started <= read.Ended))
            {
                yield return new HistoryViolation(HistoryRule.NothingInvented, [.. writes[read.Value], read]);
            }

            if (read.Limit is { } limit && BoundOf(read) > limit)
            {
                yield return new HistoryViolation(HistoryRule.StalenessLimit, [read]);
            }

            if (IsHit(read))
            {
                if (cached.MissedBy(read) is { } missed)
                {
                    yield return new HistoryViolation(HistoryRule.CachedResult, [missed, read]);
                }
            }
            else if (BoundOf(read) <= read.Started && acknowledged.At(read.Started - BoundOf(read)) is { } written && written.Value > read.Value)
            {
                yield return new HistoryViolation(IsOnPrimary(read) ? HistoryRule.NoLostWrite : HistoryRule.StalenessBound, [written, read]);
            }
        }

        foreach (var violation in events.GroupBy(e => e.Session).SelectMany(s => CheckSession([.. s])))
        {
            yield return violation;
        }
    }

    private static IEnumerable<HistoryViolation> CheckSession(HistoryEvent[] events)
    {
        var writes = new HighWater(Acknowledged(events));

        // What a read with another contract saw, its session need not see again.
        HistoryEvent[] reads = [.. events.Where(e => e.Operation == HistoryOperation.Read && e.Contract is ReadContract.Session or ReadContract.Primary)];
        var seen = new HighWater(reads);
        foreach (var read in reads)
        {
            if (writes.At(read.Started) is { } written && written.Value > read.Value)
            {
                yield return new HistoryViolation(HistoryRule.ReadYourWrites, [written, read]);
            }

            if (seen.At(read.Started) is { } earlier && earlier.Value > read.Value)
            {
                var rule = IsHit(read) ? HistoryRule.MonotonicInCache
                    : IsOnPrimary(read) && !IsOnPrimary(earlier) ? HistoryRule.MonotonicOnPrimary
                    : HistoryRule.MonotonicReads;
                yield return new HistoryViolation(rule, [earlier, read]);
            }
        }
    }

    // One read may be unlucky. That none of many finds a replica on a cluster at rest is no accident.
    private static IEnumerable<HistoryViolation> CheckQuiet(HistoryEvent quiet, HistoryEvent[] events)
    {
        HistoryEvent[] reads =
        [
            .. events.Where(e =>
                e.Operation == HistoryOperation.Read && !IsHit(e) && e.Contract is ReadContract.Session or ReadContract.MaxStaleness
                && e.Limit is { } limit && e.Started >= quiet.Started + GraceFor(limit) && e.Ended <= quiet.Ended).DistinctBy(e => e.Command).OrderBy(e => e.Ended).ThenBy(e => e.Command),
        ];
        if (reads.Length >= LeastQuietReads && reads.All(IsOnPrimary))
        {
            yield return new HistoryViolation(HistoryRule.ReplicasServe, [quiet, reads[^1]]);
        }
    }

    private static IEnumerable<HistoryEvent> Acknowledged(IEnumerable<HistoryEvent> events) =>
        events.Where(e => e is { Operation: HistoryOperation.Write, Outcome: HistoryOutcome.Acknowledged });

    private static TimeSpan BoundOf(HistoryEvent read) => read.Routing?.StalenessBound ?? TimeSpan.Zero;

    private static bool IsOnPrimary(HistoryEvent read) => read.Routing is not { Role: NodeRole.Replica or NodeRole.Cache };
}
