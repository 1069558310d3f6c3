using EfScaling.Caching.Rows;
using EfScaling.Consistency;

namespace EfScaling.Caching;

/// <summary>What came of asking the store.</summary>
/// <param name="Outcome">A hit, or why it is none.</param>
/// <param name="Detail">More about it; <see langword="null"/> if the outcome says it all.</param>
internal readonly record struct CacheVerdict(CacheOutcome Outcome, string? Detail = null)
{
    /// <summary>Gets the result of a hit.</summary>
    public RowSet? Rows { get; init; }

    /// <summary>Gets the versions under which a result that is read now may be kept.</summary>
    public UInt128 Stamp { get; init; }

    /// <summary>Gets the moment up to which everything committed must be in such a result: a node that does not show it yet may not fill.</summary>
    public Moment Since { get; init; } = Moment.Never;

    /// <summary>Gets a moment before the store was asked: a result that is read now shows everything that was published by then.</summary>
    public Moment AskedAt { get; init; } = Moment.Never;

    /// <summary>Gets a moment by which everything that the result of a hit shows was committed.</summary>
    public Moment ShownBy { get; init; } = Moment.Never;

    /// <summary>Gets whether a result that is read now may be kept.</summary>
    public bool IsFillable => Outcome is CacheOutcome.Absent or CacheOutcome.Stale or CacheOutcome.Unreadable;
}
