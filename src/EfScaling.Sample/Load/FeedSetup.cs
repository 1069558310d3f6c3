namespace EfScaling.Sample.Load;

/// <summary>What the contexts of a load use.</summary>
internal enum FeedSetup
{
    /// <summary>Replicas and the query cache.</summary>
    ReplicasAndCache,

    /// <summary>Replicas.</summary>
    Replicas,

    /// <summary>Neither: plain EF Core on the primary.</summary>
    PrimaryAlone,
}
