namespace EfScaling.Sharding;

/// <summary>The column types by which rows can be sharded: those whose hash is the same in every database.</summary>
/// <remarks>
/// Others have no value here on purpose. The hash of an enum is that of a number each database gives it, numeric and floating-point values have several
/// forms, <c>character(n)</c> and <c>citext</c> call different texts equal, and so does text with a collation that is not deterministic.
/// </remarks>
public enum ShardKeyType
{
    /// <summary><c>smallint</c>; <see cref="short"/>.</summary>
    Int2,

    /// <summary><c>integer</c>; <see cref="int"/>.</summary>
    Int4,

    /// <summary><c>bigint</c>; <see cref="long"/>.</summary>
#pragma warning disable CA1720 // The server's name for a type of eight bytes; that some language calls one of eight bits so cannot mislead here.
    Int8,
#pragma warning restore CA1720

    /// <summary><c>uuid</c>; <see cref="System.Guid"/>.</summary>
    Uuid,

    /// <summary><c>text</c> and <c>varchar</c> with a deterministic collation; <see cref="string"/>.</summary>
    Text,

    /// <summary><c>bytea</c>; an array of bytes.</summary>
    Bytea,

    /// <summary><c>boolean</c>; <see cref="bool"/>. Two values shard badly alone; meant for composite keys.</summary>
    Bool,

    /// <summary><c>date</c>; <see cref="DateOnly"/>.</summary>
    Date,

    /// <summary><c>timestamp</c>; <see cref="DateTime"/> whose kind is not UTC.</summary>
    Timestamp,

    /// <summary><c>timestamptz</c>; <see cref="DateTime"/> whose kind is UTC, and <see cref="DateTimeOffset"/>.</summary>
    TimestampTz,
}
