namespace EfScaling.Sharding;

/// <summary>The names of the key types on the server.</summary>
internal static class ShardKeyTypeNames
{
    /// <summary>Returns the type's name in SQL.</summary>
    public static string SqlName(this ShardKeyType type) => type switch
    {
        ShardKeyType.Int2 => "int2",
        ShardKeyType.Int4 => "int4",
        ShardKeyType.Int8 => "int8",
        ShardKeyType.Uuid => "uuid",
        ShardKeyType.Text => "text",
        ShardKeyType.Bytea => "bytea",
        ShardKeyType.Bool => "bool",
        ShardKeyType.Date => "date",
        ShardKeyType.Timestamp => "timestamp",
        ShardKeyType.TimestampTz => "timestamptz",
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "The value is not a type of shard keys."),
    };
}
