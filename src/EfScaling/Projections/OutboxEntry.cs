namespace EfScaling.Projections;

/// <summary>A key that changed, on its way into the outbox.</summary>
/// <param name="Projection">Whose views it changes.</param>
/// <param name="Source">The source whose value the key is; <see cref="ProjectionSource.Direct"/> for the key of a view.</param>
/// <param name="Key">The key.</param>
internal readonly record struct OutboxEntry(Projection Projection, string Source, string Key);
