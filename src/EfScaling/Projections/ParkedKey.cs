namespace EfScaling.Projections;

/// <summary>A key of a projection that was given up after it failed too often.</summary>
/// <param name="Projection">The name of the projection.</param>
/// <param name="Source">The entity and property whose value the key is; empty for the key of a view.</param>
/// <param name="Key">The key, as <see cref="ProjectionKey.Format"/> writes it.</param>
/// <param name="Attempts">How often it failed.</param>
/// <param name="ParkedAt">When it was given up, by the clock of the database.</param>
/// <param name="Reason">What the last attempt failed of.</param>
public sealed record ParkedKey(string Projection, string Source, string Key, int Attempts, DateTimeOffset ParkedAt, string Reason);
