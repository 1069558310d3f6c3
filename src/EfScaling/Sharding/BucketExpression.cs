using System.Globalization;
using System.Numerics;

namespace EfScaling.Sharding;

/// <summary>The SQL expression by which a server computes the bucket of a row, equal to the remainder that <c>satisfies_hash_partition</c> asks for.</summary>
/// <remarks>
/// Needs no extension and is immutable, so it can stand in a query, a generated column, a check constraint and the filter of a publication. NULL in a
/// column makes it NULL. PostgreSQL 14 or later, because <c>bytea</c>, <c>bool</c> and <c>date</c> are hashed inside a row.
/// </remarks>
internal static class BucketExpression
{
    // hash_combine64 shifts by seven to the right, so the lower bits of a row's hash need seven more bits of the columns before.
    private const int BitsOfShift = 7;

    private static readonly string _seed = PartitionHash.Seed.ToString(CultureInfo.InvariantCulture);

    /// <summary>Returns the bucket of some columns as an expression of type bigint.</summary>
    /// <param name="columns">The columns that decide, in the order of the key: SQL of each, such as a quoted name, and its type.</param>
    /// <param name="bucketCount">A power of two, from 1 to <see cref="HashShardMap.MaxBucketCount"/>.</param>
    public static string Of(ReadOnlySpan<(string Sql, ShardKeyType Type)> columns, int bucketCount)
    {
        ArgumentOutOfRangeException.ThrowIfZero(columns.Length, nameof(columns));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(columns.Length, ShardKey.MaxColumns, nameof(columns));
        ArgumentOutOfRangeException.ThrowIfLessThan(bucketCount, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bucketCount, HashShardMap.MaxBucketCount);
        if (!BitOperations.IsPow2(bucketCount))
        {
            throw new ArgumentOutOfRangeException(nameof(bucketCount), bucketCount, "The number of buckets must be a power of two.");
        }

        // bigint has no unsigned sum, so each step keeps only the bits that the result depends on: at most 16 + 3 * 7, far from overflow and from the
        // term that hash_combine64 shifts left by 54.
        var bits = BitOperations.Log2((uint)bucketCount) + (BitsOfShift * (columns.Length - 1));
        var row = string.Empty;
        foreach (var (sql, type) in columns)
        {
            var mask = (1UL << bits) - 1;
            var value = string.Create(CultureInfo.InvariantCulture, $"({HashOf(sql, type)} & {mask}) + {PartitionHash.CombineConstant & mask}");
            row = row.Length == 0
                ? string.Create(CultureInfo.InvariantCulture, $"(({value}) & {mask})")
                : string.Create(CultureInfo.InvariantCulture, $"(({row} # ({value} + ({row} >> {BitsOfShift}))) & {mask})");
            bits -= BitsOfShift;
        }

        return row;
    }

    private static string HashOf(string sql, ShardKeyType type) => type switch
    {
        ShardKeyType.Int2 => $"hashint2extended({sql}, {_seed})",
        ShardKeyType.Int4 => $"hashint4extended({sql}, {_seed})",
        ShardKeyType.Int8 => $"hashint8extended({sql}, {_seed})",
        ShardKeyType.Uuid => $"uuid_hash_extended({sql}, {_seed})",
        ShardKeyType.Text => $"hashtextextended({sql}, {_seed})",
        ShardKeyType.Timestamp => $"timestamp_hash_extended({sql}, {_seed})",

        // The time of day in UTC is stored as the same number; a cast would depend on the session's time zone.
        ShardKeyType.TimestampTz => $"timestamp_hash_extended({sql} AT TIME ZONE 'UTC', {_seed})",

        // The functions of these cannot be called from SQL on every version. A row of one column hashes as the column, except that NULL gives zero.
        ShardKeyType.Bytea or ShardKeyType.Bool or ShardKeyType.Date => $"CASE WHEN {sql} IS NOT NULL THEN hash_record_extended(ROW({sql}), {_seed}) END",
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "The value is not a type of shard keys."),
    };
}
