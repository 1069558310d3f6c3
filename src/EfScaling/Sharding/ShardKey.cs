using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace EfScaling.Sharding;

/// <summary>The value, or the few values, by which a row finds its shard, in the form and type in which the database stores them.</summary>
/// <remarks>
/// Two keys are equal if their columns have the same types and the same stored values; a number as <c>int4</c> and as <c>int8</c> are different keys.
/// Immutable. <see langword="default"/> is no key, and every map refuses it.
/// </remarks>
public readonly partial struct ShardKey : IEquatable<ShardKey>
{
    /// <summary>The most columns that a key can have; the SQL by which a server computes a bucket doubles with each.</summary>
    public const int MaxColumns = 4;

    // One column: a number, a bool, days or microseconds since 2000, or the first eight bytes of a uuid.
    private readonly long _number;

    // The last eight bytes of a uuid.
    private readonly long _last;

    // One column: a string or bytes. Several: an array of keys of one column, of which the first _columns count.
    private readonly object? _value;

    private readonly ShardKeyType _type;
    private readonly byte _columns;

    private ShardKey(ShardKeyType type, long number, long last = 0, object? value = null)
    {
        _type = type;
        _number = number;
        _last = last;
        _value = value;
        _columns = 1;
    }

    private ShardKey(ShardKey[] columns, int count)
    {
        _value = columns;
        _columns = (byte)count;
    }

    /// <summary>Gets the number of columns; zero only for <see langword="default"/>.</summary>
    public int ColumnCount => _columns;

    /// <summary>Gets the types of the columns, in their order.</summary>
    public IReadOnlyList<ShardKeyType> Types
    {
        get
        {
            var types = new ShardKeyType[_columns];
            for (var column = 0; column < types.Length; column++)
            {
                types[column] = TypeOf(column);
            }

            return types;
        }
    }

    /// <summary>Gets one column as a key of its own.</summary>
    /// <param name="column">Counted from zero.</param>
    /// <exception cref="ArgumentOutOfRangeException">The key has no such column.</exception>
    public ShardKey this[int column]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(column);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(column, _columns);
            return _columns > 1 ? ((ShardKey[])_value!)[column] : this;
        }
    }

    /// <summary>Tells whether two keys have equal columns.</summary>
    public static bool operator ==(in ShardKey left, in ShardKey right) => left.Equals(right);

    /// <summary>Tells whether two keys differ in a column.</summary>
    public static bool operator !=(in ShardKey left, in ShardKey right) => !left.Equals(right);

    /// <summary>Returns the type of one column.</summary>
    /// <param name="column">Counted from zero.</param>
    /// <exception cref="ArgumentOutOfRangeException">The key has no such column.</exception>
    public ShardKeyType TypeOf(int column) => this[column]._type;

    /// <summary>Returns the key of the first columns alone.</summary>
    /// <param name="columns">From zero, which gives <see langword="default"/>, to <see cref="ColumnCount"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">The key has fewer columns, or the number is negative.</exception>
    public ShardKey Prefix(int columns)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(columns, _columns);
        return columns == _columns ? this
            : columns == 0 ? default
            : columns == 1 ? this[0]
            : new ShardKey((ShardKey[])_value!, columns);
    }

    /// <summary>Tells whether the first columns of the key are those of another.</summary>
    public bool StartsWith(in ShardKey prefix) => prefix._columns <= _columns && Prefix(prefix._columns).Equals(prefix);

    /// <summary>Returns PostgreSQL's partition hash of the key, as <c>satisfies_hash_partition</c> computes it.</summary>
    /// <returns>Modulo a number of buckets it is the bucket.</returns>
    /// <exception cref="ShardKeyException">The key is <see langword="default"/>.</exception>
    public ulong GetPartitionHash() => GetPartitionHash(0);

    /// <inheritdoc />
    public bool Equals(ShardKey other)
    {
        if (_columns != other._columns)
        {
            return false;
        }

        if (_columns > 1)
        {
            return ((ShardKey[])_value!).AsSpan(0, _columns).SequenceEqual(((ShardKey[])other._value!).AsSpan(0, _columns));
        }

        return _type == other._type && _number == other._number && _last == other._last && _value switch
        {
            string text => text == (string)other._value!,
            byte[] bytes => bytes.AsSpan().SequenceEqual((byte[])other._value!),
            _ => true,
        };
    }

    /// <inheritdoc />
    public override bool Equals([NotNullWhen(true)] object? obj) => obj is ShardKey other && Equals(other);

    /// <inheritdoc />
    public override int GetHashCode() => _columns == 0 ? 0 : (int)GetPartitionHash(0) ^ _columns;

    /// <summary>Writes the types of the columns, such as <c>int8, text</c>; never their values, which may be personal data.</summary>
    public override string ToString() => _columns == 0 ? "none" : ShardKeyErrors.Names(Types);

    /// <summary>Writes types and values, such as <c>int8 42, text 'Ada'</c>, for a debugger or a log that may hold them.</summary>
    /// <returns>A text that no other key gives.</returns>
    public string ToStringWithValues()
    {
        if (_columns == 0)
        {
            return "none";
        }

        var columns = new string[_columns];
        for (var column = 0; column < columns.Length; column++)
        {
            columns[column] = $"{TypeOf(column).SqlName()} {this[column].Literal()}";
        }

        return string.Join(", ", columns);
    }

    /// <summary>Hashes the columns from one on; those before it do not count.</summary>
    internal ulong GetPartitionHash(int from)
    {
        if (_columns == 0)
        {
            throw ShardKeyErrors.Missing();
        }

        if (_columns == 1)
        {
            return from == 0 ? PartitionHash.Combine(0, HashOfColumn()) : 0;
        }

        var row = 0UL;
        foreach (ref readonly var column in ((ShardKey[])_value!).AsSpan(from, _columns - from))
        {
            row = PartitionHash.Combine(row, column.HashOfColumn());
        }

        return row;
    }

    /// <summary>Orders keys of the same types as the server does, text as under the collation C; a key stands before those that it is a prefix of.</summary>
    internal static int Compare(in ShardKey left, in ShardKey right)
    {
        if (left._columns == 1 && right._columns == 1)
        {
            return CompareColumn(left, right);
        }

        var common = Math.Min(left._columns, right._columns);
        for (var column = 0; column < common; column++)
        {
            if (CompareColumn(left[column], right[column]) is not 0 and var order)
            {
                return order;
            }
        }

        return left._columns.CompareTo(right._columns);
    }

    private static int CompareColumn(in ShardKey left, in ShardKey right) => left._type switch
    {
        ShardKeyType.Text => CompareText((string)left._value!, (string)right._value!),
        ShardKeyType.Bytea => ((byte[])left._value!).AsSpan().SequenceCompareTo((byte[])right._value!),
        ShardKeyType.Uuid when left._number == right._number => ((ulong)left._last).CompareTo((ulong)right._last),
        ShardKeyType.Uuid => ((ulong)left._number).CompareTo((ulong)right._number),
        _ => left._number.CompareTo(right._number),
    };

    private static int CompareText(string left, string right)
    {
        var common = left.AsSpan().CommonPrefixLength(right);
        return common == Math.Min(left.Length, right.Length)
            ? left.Length.CompareTo(right.Length)
            : InUtf8Order(left[common]).CompareTo(InUtf8Order(right[common]));

        // Surrogates stand for characters beyond U+FFFF and so come after U+E000 to U+FFFF, although their numbers are smaller.
        static int InUtf8Order(char unit) => unit < 0xD800 ? unit : unit < 0xE000 ? unit + 0x2000 : unit - 0x800;
    }

    private ulong HashOfColumn() => _type switch
    {
        ShardKeyType.Int8 or ShardKeyType.Timestamp or ShardKeyType.TimestampTz => PartitionHash.Of(_number),
        ShardKeyType.Uuid => PartitionHash.OfUuid((ulong)_number, (ulong)_last),
        ShardKeyType.Text => PartitionHash.Of((string)_value!),
        ShardKeyType.Bytea => PartitionHash.Of((byte[])_value!),
        _ => PartitionHash.Of((int)_number),
    };

    private string Literal() => _type switch
    {
        ShardKeyType.Text => $"'{((string)_value!).Replace("'", "''", StringComparison.Ordinal)}'",
        ShardKeyType.Bytea => $"'\\x{Convert.ToHexStringLower((byte[])_value!)}'",
        ShardKeyType.Uuid => GetGuid().ToString(),
        ShardKeyType.Bool => _number == 0 ? "false" : "true",
        ShardKeyType.Date => _number switch
        {
            int.MinValue => "-infinity",
            int.MaxValue => "infinity",
            _ => PostgresTime.DateOf((int)_number).ToString("O", CultureInfo.InvariantCulture),
        },
        ShardKeyType.Timestamp or ShardKeyType.TimestampTz => _number switch
        {
            long.MinValue => "-infinity",
            long.MaxValue => "infinity",
            _ => ((DateTime)GetValue()).ToString("O", CultureInfo.InvariantCulture),
        },
        _ => _number.ToString(CultureInfo.InvariantCulture),
    };
}
