namespace EfScaling.Replication;

/// <summary>How a read picks one of several replicas that may serve it.</summary>
public enum LoadBalancing
{
    /// <summary>Of two replicas drawn at random the less loaded one, by reads in flight, weight and the time it takes to answer the monitor. The default.</summary>
    LeastLoaded,

    /// <summary>One after the other, whatever their load; weights are ignored.</summary>
    RoundRobin,
}
