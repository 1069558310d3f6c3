using System.Globalization;
using Microsoft.EntityFrameworkCore.Metadata;

namespace EfScaling.Sharding;

/// <summary>One column of a table's shard key.</summary>
/// <param name="Name">The column's name.</param>
/// <param name="Type">What the database stores in it.</param>
/// <param name="Property">The property that is stored in it.</param>
/// <param name="MaxLength">How many characters of a text it holds; <see langword="null"/> for any number, and for other types.</param>
internal sealed record ShardKeyColumn(string Name, ShardKeyType Type, IProperty Property, int? MaxLength = null)
{
    /// <summary>The digits of a second that times have at most.</summary>
    public const int MicrosecondDigits = 6;

    /// <summary>Returns the key of a row, of one column, whose value is about to be stored.</summary>
    /// <param name="value">The value as it is sent to the database.</param>
    /// <exception cref="ShardKeyException">It belongs to no shard, or the database would store another.</exception>
    public ShardKey KeyOf(object? value)
    {
        // Blanks too many are cut off without an error, and the row would be on the shard of a text that no column holds.
        if (MaxLength is { } most && value is string text && text.EnumerateRunes().Count() > most)
        {
            throw new ShardKeyException(
                ShardKeyRefusal.OutOfRange,
                $"A row was to be stored whose shard key '{Property.Name}' is longer than the {most} characters of its column. Shorten the text, blanks at its end included, or call HasMaxLength(...) with more.");
        }

        return ShardKey.FromValue(value, Type);
    }

    /// <summary>Returns the digits of a second that a column of times keeps; <see langword="null"/> if its type says nothing, and for other types.</summary>
    public static int? PrecisionOf(string storeType) =>
        TypeOf(storeType) is ShardKeyType.Timestamp or ShardKeyType.TimestampTz ? NumberIn(storeType) : null;

    /// <summary>Returns how many characters a column of texts holds; <see langword="null"/> for any number, and for other types.</summary>
    public static int? MaxLengthOf(string storeType) => TypeOf(storeType) == ShardKeyType.Text ? NumberIn(storeType) : null;

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
            "text" or "character varying" or "varchar" => ShardKeyType.Text,
            "bytea" => ShardKeyType.Bytea,
            "boolean" => ShardKeyType.Bool,
            "date" => ShardKeyType.Date,
            "timestamp without time zone" or "timestamp" => ShardKeyType.Timestamp,
            "timestamp with time zone" or "timestamptz" => ShardKeyType.TimestampTz,
            _ => null,
        };
    }

    private static int? NumberIn(string storeType)
    {
        var start = storeType.IndexOf('(', StringComparison.Ordinal);
        return start < 0 ? null : int.Parse(storeType.AsSpan(start + 1, storeType.IndexOf(')', StringComparison.Ordinal) - start - 1), CultureInfo.InvariantCulture);
    }
}
