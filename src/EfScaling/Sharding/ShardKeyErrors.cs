using System.Globalization;

namespace EfScaling.Sharding;

/// <summary>The refusals of keys, worded without their values.</summary>
internal static class ShardKeyErrors
{
    private const string Supported = "smallint, integer, bigint, uuid, text or varchar, bytea, boolean, date, timestamp and timestamptz";

    public static ShardKeyException Missing() => new(
        ShardKeyRefusal.Missing,
        "A shard was asked for with a key that is null or was never given a value, and such rows belong to no shard. Make the key with 'ShardKey.Of', and declare its columns as required.");

    public static ShardKeyException Unsupported(Type type) => new(
        ShardKeyRefusal.UnsupportedType,
        $"A shard key was asked for with a value of type '{type.Name}', which cannot be one. Shard by {Supported}, or convert the property to one of these with 'HasConversion'.");

    public static ShardKeyException CannotStore(Type type, ShardKeyType column, string? hint = null) => new(
        ShardKeyRefusal.WrongType,
        $"A value of type '{type.Name}' was given for a column of a shard key that is '{column.SqlName()}'. {hint ?? $"Give a value for which '{Call(column)}' makes the key."}");

    public static ShardKeyException Overflow(ShardKeyType column) => new(
        ShardKeyRefusal.OutOfRange,
        $"A shard key was asked for with a number that a column of type '{column.SqlName()}' cannot hold. Widen the column, or check the number before.");

    public static ShardKeyException NotText(string what) => new(
        ShardKeyRefusal.OutOfRange,
        $"A shard key was asked for with a text that contains {what}, which PostgreSQL does not store. Remove it, or shard by bytes with 'ShardKey.Of(byte[])'.");

    public static ShardKeyException TooManyColumns(int columns) => new(
        ShardKeyRefusal.WrongColumns,
        string.Create(CultureInfo.InvariantCulture, $"A shard key of {columns} columns was asked for, and {ShardKey.MaxColumns} are the most. Give 'ShardKey.Composite' the leading columns only."));

    public static ShardKeyException WrongType(in ShardKey key, IReadOnlyList<ShardKeyType> types) => new(
        ShardKeyRefusal.WrongType,
        $"A shard was asked for with a key of '{key}', but the keys of the shard map are '{Names(types)}'. Make the key with {Calls(types)}.");

    public static ShardKeyException WrongColumns(in ShardKey key, int columns, bool orMore) => new(
        ShardKeyRefusal.WrongColumns,
        string.Create(
            CultureInfo.InvariantCulture,
            $"A shard was asked for with a key of '{key}', but {columns}{(orMore ? " or more" : string.Empty)} columns tell the shard. Give them with 'ShardKey.Composite', or ask for all shards that may hold the key with 'ShardsOf'."));

    public static string Names(IEnumerable<ShardKeyType> types) => string.Join(", ", types.Select(t => t.SqlName()));

    private static string Calls(IReadOnlyList<ShardKeyType> types) =>
        types.Count == 1 ? $"'{Call(types[0])}'" : $"'ShardKey.Composite({string.Join(", ", types.Select(Call))})'";

    private static string Call(ShardKeyType type) => type switch
    {
        ShardKeyType.Int2 => "ShardKey.Of(short)",
        ShardKeyType.Int4 => "ShardKey.Of(int)",
        ShardKeyType.Int8 => "ShardKey.Of(long)",
        ShardKeyType.Uuid => "ShardKey.Of(Guid)",
        ShardKeyType.Text => "ShardKey.Of(string)",
        ShardKeyType.Bytea => "ShardKey.Of(byte[])",
        ShardKeyType.Bool => "ShardKey.Of(bool)",
        ShardKeyType.Date => "ShardKey.Of(DateOnly)",
        ShardKeyType.Timestamp => "ShardKey.Of(DateTime) of unspecified kind",
        _ => "ShardKey.Of(DateTime) of UTC",
    };
}
