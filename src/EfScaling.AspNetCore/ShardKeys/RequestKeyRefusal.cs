namespace EfScaling.AspNetCore.ShardKeys;

/// <summary>Why the shard key of a request cannot be used.</summary>
public enum RequestKeyRefusal
{
    /// <summary>The request does not bring it, or not all of its columns.</summary>
    Missing,

    /// <summary>What it brings is no value of the key's type.</summary>
    Malformed,

    /// <summary>It brings several that differ.</summary>
    Contradictory,

    /// <summary>No shard has the key.</summary>
    Unplaced,
}
