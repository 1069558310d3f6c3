namespace EfScaling.Projections;

/// <summary>Something that a projection needs, and no key of it, failed.</summary>
internal sealed class ProjectionOutageException(string projection, Exception cause)
    : Exception($"The projection '{projection}' pauses because what it needs failed: {ProjectionFault.Describe(cause)}", cause);
