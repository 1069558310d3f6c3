namespace EfScaling.Topology;

/// <summary>What a PostgreSQL server is at present; a server reports it, nobody configures it.</summary>
public enum NodeRole
{
    /// <summary>The server has not answered yet.</summary>
    Unknown,

    /// <summary>The server accepts writes.</summary>
    Primary,

    /// <summary>The server is in recovery: a hot standby that answers reads only.</summary>
    Replica,

    /// <summary>No server: the query cache answered in place of one.</summary>
    Cache,

    /// <summary>The fallback coordinator, which reads the shards through foreign tables.</summary>
    Coordinator,
}
