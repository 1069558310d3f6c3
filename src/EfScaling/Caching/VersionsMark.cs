using EfScaling.Consistency;

namespace EfScaling.Caching;

/// <summary>What was known when a question was about to be asked.</summary>
/// <param name="Changes">How many changes had been reported.</param>
/// <param name="TakenAt">When that was.</param>
internal readonly record struct VersionsMark(long Changes, Moment TakenAt);
