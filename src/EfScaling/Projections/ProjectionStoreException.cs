namespace EfScaling.Projections;

/// <summary>A store of views failed in a way that another attempt may mend.</summary>
internal sealed class ProjectionStoreException(Exception inner) : Exception("The store of a projection failed.", inner);
