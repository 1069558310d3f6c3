using System.Buffers.Binary;
using System.Globalization;

namespace EfScaling.Sharding;

// Making a key from values.
public readonly partial struct ShardKey
{
    /// <summary>Makes the key of an <c>int2</c> column.</summary>
    public static ShardKey Of(short value) => new(ShardKeyType.Int2, value);

    /// <summary>Makes the key of an <c>int4</c> column.</summary>
    public static ShardKey Of(int value) => new(ShardKeyType.Int4, value);

    /// <summary>Makes the key of an <c>int8</c> column.</summary>
    public static ShardKey Of(long value) => new(ShardKeyType.Int8, value);

    /// <summary>Makes the key of a <c>bool</c> column.</summary>
    public static ShardKey Of(bool value) => new(ShardKeyType.Bool, value ? 1 : 0);

    /// <summary>Makes the key of a <c>uuid</c> column.</summary>
    public static ShardKey Of(Guid value)
    {
        Span<byte> bytes = stackalloc byte[16];
        value.TryWriteBytes(bytes, bigEndian: true, out _);
        return new(ShardKeyType.Uuid, BinaryPrimitives.ReadInt64BigEndian(bytes), BinaryPrimitives.ReadInt64BigEndian(bytes[8..]));
    }

    /// <summary>Makes the key of a <c>text</c> or <c>varchar</c> column.</summary>
    /// <exception cref="ShardKeyException">The text is null, or PostgreSQL could not store it: it holds a character zero or half a surrogate pair.</exception>
    public static ShardKey Of(string value)
    {
        if (value is null)
        {
            throw ShardKeyErrors.Missing();
        }

        if (value.Contains('\0', StringComparison.Ordinal))
        {
            throw ShardKeyErrors.NotText("a character zero");
        }

        return HasLoneSurrogate(value) ? throw ShardKeyErrors.NotText("half a surrogate pair") : new(ShardKeyType.Text, 0, value: value);
    }

    /// <summary>Makes the key of a <c>bytea</c> column; the bytes are copied.</summary>
    /// <exception cref="ShardKeyException">The array is null.</exception>
    public static ShardKey Of(byte[] value) =>
        value is null ? throw ShardKeyErrors.Missing() : new(ShardKeyType.Bytea, 0, value: value.AsSpan().ToArray());

    /// <summary>Makes the key of a <c>date</c> column.</summary>
    /// <param name="value">The least and the greatest value are infinity, as Npgsql stores them unless it is told otherwise.</param>
    public static ShardKey Of(DateOnly value) => new(ShardKeyType.Date, PostgresTime.DaysOf(value));

    /// <summary>Makes the key of a <c>timestamptz</c> column if the kind is UTC, and of a <c>timestamp</c> column if it is unspecified.</summary>
    /// <param name="value">Stored to the microsecond. The least and the greatest value are infinity, as Npgsql stores them unless it is told otherwise.</param>
    /// <exception cref="ShardKeyException">The kind is local, which does not tell the type of the column.</exception>
    public static ShardKey Of(DateTime value) => value.Kind switch
    {
        DateTimeKind.Utc => new(ShardKeyType.TimestampTz, PostgresTime.MicrosecondsOf(value)),
        DateTimeKind.Unspecified => new(ShardKeyType.Timestamp, PostgresTime.MicrosecondsOf(value)),
        _ => throw ShardKeyErrors.CannotStore(
            typeof(DateTime), ShardKeyType.TimestampTz, "Its kind is local: call 'ToUniversalTime' for timestamptz, or 'DateTime.SpecifyKind' with 'Unspecified' for timestamp."),
    };

    /// <summary>Makes the key of a <c>timestamptz</c> column from a moment, whatever its offset.</summary>
    public static ShardKey Of(DateTimeOffset value) => Of(value.UtcDateTime);

    /// <summary>Makes a key of several columns.</summary>
    /// <param name="columns">In the order in which the entity declares them; keys of several columns count as their columns.</param>
    /// <exception cref="ShardKeyException">One of them is <see langword="default"/>, there is none, or there are more than <see cref="MaxColumns"/>.</exception>
    public static ShardKey Composite(params ReadOnlySpan<ShardKey> columns)
    {
        var flat = new List<ShardKey>(columns.Length);
        foreach (ref readonly var key in columns)
        {
            if (key._columns == 0)
            {
                throw ShardKeyErrors.Missing();
            }

            for (var column = 0; column < key._columns; column++)
            {
                flat.Add(key[column]);
            }
        }

        return flat.Count switch
        {
            0 => throw ShardKeyErrors.Missing(),
            1 => flat[0],
            <= MaxColumns => new([.. flat], flat.Count),
            _ => throw ShardKeyErrors.TooManyColumns(flat.Count),
        };
    }

    /// <summary>Makes a key of one column from a value whose type is known only at run time.</summary>
    /// <exception cref="ShardKeyException">The value is null, or of a type that cannot be a key.</exception>
    public static ShardKey FromValue(object? value) => value switch
    {
        null or DBNull => throw ShardKeyErrors.Missing(),
        short number => Of(number),
        int number => Of(number),
        long number => Of(number),
        Guid guid => Of(guid),
        string text => Of(text),
        byte[] bytes => Of(bytes),
        bool flag => Of(flag),
        DateOnly date => Of(date),
        DateTime time => Of(time),
        DateTimeOffset moment => Of(moment),
        _ => throw ShardKeyErrors.Unsupported(value.GetType()),
    };

    /// <summary>Makes the key of a column of a given type from the value that is stored there.</summary>
    /// <param name="value">The value after conversion to the provider's type. A whole number of any type is taken if the column can hold it.</param>
    /// <param name="type">The column's type, which decides the hash.</param>
    /// <exception cref="ShardKeyException">The value is null, the column cannot hold it, or a value of its type is not stored there as it is.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The type is not defined.</exception>
    public static ShardKey FromValue(object? value, ShardKeyType type) => (type, value) switch
    {
        (_, null or DBNull) => throw ShardKeyErrors.Missing(),
        (ShardKeyType.Int2, _) => new(type, WholeNumber(value, type, short.MinValue, short.MaxValue)),
        (ShardKeyType.Int4, _) => new(type, WholeNumber(value, type, int.MinValue, int.MaxValue)),
        (ShardKeyType.Int8, _) => new(type, WholeNumber(value, type, long.MinValue, long.MaxValue)),
        (ShardKeyType.Uuid, Guid guid) => Of(guid),
        (ShardKeyType.Text, string text) => Of(text),
        (ShardKeyType.Bytea, byte[] bytes) => Of(bytes),
        (ShardKeyType.Bool, bool flag) => Of(flag),
        (ShardKeyType.Date, DateOnly date) => Of(date),

        // As the provider: a local time goes to a timestamp column as it stands, a UTC time only to a timestamptz column.
        (ShardKeyType.Timestamp, DateTime { Kind: not DateTimeKind.Utc } time) => new(type, PostgresTime.MicrosecondsOf(time)),
        (ShardKeyType.TimestampTz, DateTime { Kind: DateTimeKind.Utc } time) => Of(time),
        (ShardKeyType.TimestampTz, DateTimeOffset moment) => Of(moment),
        _ => throw ShardKeyErrors.CannotStore(value.GetType(), type),
    };

    /// <summary>Returns the value of a column as the type that <see cref="ShardKeyType"/> names for it.</summary>
    /// <param name="column">Counted from zero.</param>
    /// <exception cref="ArgumentOutOfRangeException">The key has no such column.</exception>
    public object GetValue(int column = 0)
    {
        var key = this[column];
        return key._type switch
        {
            ShardKeyType.Int2 => (short)key._number,
            ShardKeyType.Int4 => (int)key._number,
            ShardKeyType.Int8 => key._number,
            ShardKeyType.Uuid => key.GetGuid(),
            ShardKeyType.Bool => key._number != 0,
            ShardKeyType.Date => PostgresTime.DateOf((int)key._number),
            ShardKeyType.Timestamp => PostgresTime.TimeOf(key._number, DateTimeKind.Unspecified),
            ShardKeyType.TimestampTz => PostgresTime.TimeOf(key._number, DateTimeKind.Utc),
            ShardKeyType.Bytea => ((byte[])key._value!).AsSpan().ToArray(),
            _ => key._value!,
        };
    }

    /// <summary>Returns the number in a column of type int2, int4 or int8, without boxing it.</summary>
    /// <param name="column">Counted from zero.</param>
    /// <exception cref="ArgumentOutOfRangeException">The key has no such column.</exception>
    /// <exception cref="ShardKeyException">The column has another type.</exception>
    public long GetInt64(int column = 0)
    {
        var key = this[column];
        return key._type is ShardKeyType.Int2 or ShardKeyType.Int4 or ShardKeyType.Int8 ? key._number : throw ShardKeyErrors.WrongType(key, [ShardKeyType.Int8]);
    }

    /// <summary>Returns the value of a column of type uuid, without boxing it.</summary>
    /// <param name="column">Counted from zero.</param>
    /// <exception cref="ArgumentOutOfRangeException">The key has no such column.</exception>
    /// <exception cref="ShardKeyException">The column has another type.</exception>
    public Guid GetGuid(int column = 0)
    {
        var key = this[column];
        if (key._type != ShardKeyType.Uuid)
        {
            throw ShardKeyErrors.WrongType(key, [ShardKeyType.Uuid]);
        }

        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteInt64BigEndian(bytes, key._number);
        BinaryPrimitives.WriteInt64BigEndian(bytes[8..], key._last);
        return new Guid(bytes, bigEndian: true);
    }

    /// <summary>Returns the text in a column of type text.</summary>
    /// <param name="column">Counted from zero.</param>
    /// <exception cref="ArgumentOutOfRangeException">The key has no such column.</exception>
    /// <exception cref="ShardKeyException">The column has another type.</exception>
    public string GetText(int column = 0)
    {
        var key = this[column];
        return key._type == ShardKeyType.Text ? (string)key._value! : throw ShardKeyErrors.WrongType(key, [ShardKeyType.Text]);
    }

    private static long WholeNumber(object value, ShardKeyType type, long least, long greatest)
    {
        if (value is not (sbyte or byte or short or ushort or int or uint or long or ulong) || value is ulong and > long.MaxValue)
        {
            throw value is ulong ? ShardKeyErrors.Overflow(type) : ShardKeyErrors.CannotStore(value.GetType(), type);
        }

        var number = Convert.ToInt64(value, CultureInfo.InvariantCulture);
        return number >= least && number <= greatest ? number : throw ShardKeyErrors.Overflow(type);
    }

    private static bool HasLoneSurrogate(ReadOnlySpan<char> text)
    {
        var at = text.IndexOfAnyInRange('\uD800', '\uDFFF');
        while (at >= 0)
        {
            if (at + 1 >= text.Length || !char.IsSurrogatePair(text[at], text[at + 1]))
            {
                return true;
            }

            text = text[(at + 2)..];
            at = text.IndexOfAnyInRange('\uD800', '\uDFFF');
        }

        return false;
    }
}
