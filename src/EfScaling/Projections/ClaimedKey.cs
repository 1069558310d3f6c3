namespace EfScaling.Projections;

/// <summary>A key that a dispatcher has locked, with its rows of the outbox.</summary>
/// <param name="Source">The source whose value the key is; <see cref="ProjectionSource.Direct"/> for the key of a view.</param>
/// <param name="Key">The key.</param>
/// <param name="Ids">All its rows that were committed when it was locked, those that failed before and those that were parked among them.</param>
/// <param name="Attempts">How often it failed before.</param>
/// <param name="Position">The lowest number that a session may wait for.</param>
/// <param name="IsRebuild">Whether nothing was written and the view is only made again.</param>
/// <param name="Age">How long ago its first row was written.</param>
internal sealed record ClaimedKey(string Source, string Key, IReadOnlyList<long> Ids, int Attempts, long Position, bool IsRebuild, TimeSpan Age);
