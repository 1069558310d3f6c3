namespace EfScaling.Sharding;

/// <summary>Why a value is no key, or a key has no shard.</summary>
public enum ShardKeyRefusal
{
    /// <summary>The key, or a column of it, is null or was never given a value.</summary>
    Missing,

    /// <summary>Values of this type cannot be keys.</summary>
    UnsupportedType,

    /// <summary>The key's columns have other types than the map's.</summary>
    WrongType,

    /// <summary>The key has too few or too many columns.</summary>
    WrongColumns,

    /// <summary>The column cannot hold the value, or no range of the map does.</summary>
    OutOfRange,

    /// <summary>The key names a region that the map does not have.</summary>
    UnknownRegion,
}
