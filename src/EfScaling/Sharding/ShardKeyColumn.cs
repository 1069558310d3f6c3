using Microsoft.EntityFrameworkCore.Metadata;

namespace EfScaling.Sharding;

/// <summary>One column of a table's shard key.</summary>
/// <param name="Name">The column's name.</param>
/// <param name="Type">What the database stores in it.</param>
/// <param name="Property">The property that is stored in it.</param>
internal sealed record ShardKeyColumn(string Name, ShardKeyType Type, IProperty Property)
{
    /// <summary>Returns the type of keys in columns of a type of the database; <see langword="null"/> if they cannot be placed.</summary>
    /// <remarks>
    /// Only types whose equal values have equal bytes everywhere: <c>numeric</c> and <c>real</c> have several for one value, <c>character(n)</c> and
    /// <c>citext</c> compare by rules, and the hash of an enum is that of an object id, which differs from one database to the next.
    /// </remarks>
    public static ShardKeyType? TypeOf(string storeType)
    {
        var length = storeType.IndexOf('(', StringComparison.Ordinal);
        return (length < 0 ? storeType : storeType[..length] + storeType[(storeType.IndexOf(')', StringComparison.Ordinal) + 1)..]) switch
        {
            "smallint" => ShardKeyType.Int2,
            "integer" => ShardKeyType.Int4,
            "bigint" => ShardKeyType.Int8,
            "uuid" => ShardKeyType.Uuid,
            "text" or "character varying" => ShardKeyType.Text,
            "bytea" => ShardKeyType.Bytea,
            "boolean" => ShardKeyType.Bool,
            "date" => ShardKeyType.Date,
            "timestamp without time zone" or "timestamp" => ShardKeyType.Timestamp,
            "timestamp with time zone" => ShardKeyType.TimestampTz,
            _ => null,
        };
    }
}
