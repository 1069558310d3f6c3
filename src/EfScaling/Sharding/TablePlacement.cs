namespace EfScaling.Sharding;

/// <summary>Where the rows of an entity live.</summary>
public enum TablePlacement
{
    /// <summary>All on the default shard.</summary>
    DefaultShard,

    /// <summary>Each on the shard that its key belongs to.</summary>
    Sharded,

    /// <summary>All on every shard.</summary>
    Reference,
}
