namespace EfScaling.Projections;

/// <summary>What waits in the outbox for one projection.</summary>
/// <param name="Projection">The name of the projection.</param>
/// <param name="Pending">Changes that wait to be applied.</param>
/// <param name="Rebuilding">Keys that a rebuild has not come to yet.</param>
/// <param name="Parked">Keys that were given up.</param>
/// <param name="Unknown">
/// Those of the pending changes that this instance leaves to others because it does not have their source, as while an application with a new one is rolled out.
/// If they stay, the source was removed or renamed: a rebuild removes them.
/// </param>
/// <param name="Age">How long ago the oldest pending change was written; zero if there is none.</param>
public sealed record ProjectionStatus(string Projection, long Pending, long Rebuilding, long Parked, long Unknown, TimeSpan Age);
