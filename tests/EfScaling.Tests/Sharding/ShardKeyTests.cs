using EfScaling.Sharding;

namespace EfScaling.Tests.Sharding;

public sealed class ShardKeyTests
{
    private enum Color
    {
        Red,
    }

    public static TheoryData<object, ShardKeyType> Values => new()
    {
        { (short)-3, ShardKeyType.Int2 },
        { 42, ShardKeyType.Int4 },
        { 42L, ShardKeyType.Int8 },
        { new Guid("01234567-89ab-cdef-0123-456789abcdef"), ShardKeyType.Uuid },
        { "Ada", ShardKeyType.Text },
        { new byte[] { 1, 2 }, ShardKeyType.Bytea },
        { true, ShardKeyType.Bool },
        { new DateOnly(1999, 12, 31), ShardKeyType.Date },
        { DateOnly.MaxValue, ShardKeyType.Date },
        { new DateTime(1999, 12, 31, 23, 59, 59), ShardKeyType.Timestamp },
        { new DateTime(2024, 2, 29, 1, 2, 3, DateTimeKind.Utc), ShardKeyType.TimestampTz },
        { DateTime.SpecifyKind(DateTime.MinValue, DateTimeKind.Utc), ShardKeyType.TimestampTz },
    };

    public static TheoryData<object> Unsupported => [1.5, 1.5m, 1.5f, 'c', TimeSpan.Zero, Color.Red, new int[1], TimeOnly.MinValue];

    [Theory]
    [MemberData(nameof(Values))]
    public void A_value_comes_back_as_it_went_in(object value, ShardKeyType type)
    {
        var key = ShardKey.FromValue(value);

        Assert.Equal([type], key.Types);
        Assert.Equal(value, key.GetValue());
        Assert.Equal(key, ShardKey.FromValue(value, type));
        Assert.Equal(key.GetHashCode(), ShardKey.FromValue(value, type).GetHashCode());
        Assert.True(key == ShardKey.FromValue(value));
        Assert.True(key != ShardKey.Composite(key, key));
    }

    [Fact]
    public void Keys_of_different_columns_differ()
    {
        ShardKey[] keys =
        [
            default, ShardKey.Of((short)1), ShardKey.Of(1), ShardKey.Of(1L), ShardKey.Of(2L), ShardKey.Of(true), ShardKey.Of("1"), ShardKey.Of(new byte[] { 1 }), ShardKey.Of(new byte[] { 1, 1 }),
            ShardKey.Of(new DateOnly(2000, 1, 2)), ShardKey.Of(Guid.AllBitsSet), ShardKey.Of(Guid.Empty), ShardKey.Of(new DateTime(2000, 1, 2)), ShardKey.Of(new DateTime(2000, 1, 2, 0, 0, 0, DateTimeKind.Utc)),
            ShardKey.Composite(ShardKey.Of(1), ShardKey.Of(2)), ShardKey.Composite(ShardKey.Of(2), ShardKey.Of(1)), ShardKey.Composite(ShardKey.Of(1), ShardKey.Of(2), ShardKey.Of(3)),
        ];

        Assert.Equal(keys.Length, keys.Distinct().Count());
        Assert.Equal(keys.Length, keys.Select(k => k.ToStringWithValues()).Distinct().Count());
    }

    [Fact]
    public void Equal_stored_values_are_equal_keys()
    {
        // Stored to the microsecond.
        Assert.Equal(ShardKey.Of(new DateTime(2024, 1, 1)), ShardKey.Of(new DateTime(2024, 1, 1).AddTicks(9)));
        Assert.Equal(ShardKey.Of(new DateTime(2024, 1, 1, 10, 0, 0, DateTimeKind.Utc)), ShardKey.Of(new DateTimeOffset(2024, 1, 1, 12, 0, 0, TimeSpan.FromHours(2))));
        Assert.Equal(ShardKey.Of(7L), ShardKey.FromValue((byte)7, ShardKeyType.Int8));
        Assert.Equal(ShardKey.Of((short)7), ShardKey.FromValue(7UL, ShardKeyType.Int2));
    }

    [Fact]
    public void Bytes_are_copied_in_and_out()
    {
        byte[] bytes = [1, 2];
        var key = ShardKey.Of(bytes);
        bytes[0] = 9;
        ((byte[])key.GetValue())[0] = 9;

        Assert.Equal(ShardKey.Of(new byte[] { 1, 2 }), key);
    }

    [Fact]
    public void Columns_and_prefixes_of_several_columns()
    {
        var key = ShardKey.Composite(ShardKey.Composite(ShardKey.Of("eu"), ShardKey.Of(5L)), ShardKey.Of(Guid.Empty));

        Assert.Equal(3, key.ColumnCount);
        Assert.Equal([ShardKeyType.Text, ShardKeyType.Int8, ShardKeyType.Uuid], key.Types);
        Assert.Equal("eu", key.GetText(0));
        Assert.Equal(5, key.GetInt64(1));
        Assert.Equal(Guid.Empty, key.GetGuid(2));
        Assert.Equal(ShardKey.Of(5L), key[1]);
        Assert.Equal(ShardKey.Of("eu"), key.Prefix(1));
        Assert.Equal(ShardKey.Composite(ShardKey.Of("eu"), ShardKey.Of(5L)), key.Prefix(2));
        Assert.Equal(ShardKey.Composite(ShardKey.Of("eu"), ShardKey.Of(5L)).GetHashCode(), key.Prefix(2).GetHashCode());
        Assert.True(key.StartsWith(key.Prefix(2)));
        Assert.True(key.StartsWith(default));
        Assert.False(key.StartsWith(ShardKey.Of("us")));
        Assert.False(key.Prefix(1).StartsWith(key));
        Assert.Equal(default, key.Prefix(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => key.Prefix(4));
        Assert.Throws<ArgumentOutOfRangeException>(() => key[3]);
        Assert.Throws<ArgumentOutOfRangeException>(() => default(ShardKey)[0]);
        Assert.Equal(ShardKeyRefusal.WrongType, Assert.Throws<ShardKeyException>(() => key.GetInt64(0)).Reason);
    }

    [Fact]
    public void Text_shows_types_and_values_only_when_asked_for()
    {
        var key = ShardKey.Composite(ShardKey.Of("it's"), ShardKey.Of(42L));

        Assert.Equal("text, int8", key.ToString());
        Assert.Equal("text 'it''s', int8 42", key.ToStringWithValues());
        Assert.Equal("none", default(ShardKey).ToString());
        Assert.Equal("date infinity", ShardKey.Of(DateOnly.MaxValue).ToStringWithValues());
        Assert.Equal("timestamptz 2024-01-01T00:00:00.0000000Z", ShardKey.Of(new DateTime(2024, 1, 1, 0, 0, 0, DateTimeKind.Utc)).ToStringWithValues());
        Assert.Equal("bytea '\\x01ff'", ShardKey.Of(new byte[] { 1, 255 }).ToStringWithValues());
    }

    [Fact]
    public void Null_is_refused()
    {
        AssertRefused(ShardKeyRefusal.Missing, "key that is null", () => ShardKey.FromValue(null));
        AssertRefused(ShardKeyRefusal.Missing, "key that is null", () => ShardKey.FromValue(DBNull.Value));
        AssertRefused(ShardKeyRefusal.Missing, "key that is null", () => ShardKey.FromValue(null, ShardKeyType.Int8));
        AssertRefused(ShardKeyRefusal.Missing, "key that is null", () => ShardKey.Of((string)null!));
        AssertRefused(ShardKeyRefusal.Missing, "key that is null", () => ShardKey.Of((byte[])null!));
        AssertRefused(ShardKeyRefusal.Missing, "'ShardKey.Of'", () => ShardKey.Composite(ShardKey.Of(1), default));
        AssertRefused(ShardKeyRefusal.Missing, "'ShardKey.Of'", () => ShardKey.Composite());
    }

    [Theory]
    [MemberData(nameof(Unsupported))]
    public void A_type_that_cannot_be_a_key_is_refused(object value)
    {
        AssertRefused(ShardKeyRefusal.UnsupportedType, $"'{value.GetType().Name}'", () => ShardKey.FromValue(value));
        AssertRefused(ShardKeyRefusal.WrongType, "'int8'", () => ShardKey.FromValue(value, ShardKeyType.Int8));
        AssertRefused(ShardKeyRefusal.WrongType, "'ShardKey.Of(string)'", () => ShardKey.FromValue(value, ShardKeyType.Text));
    }

    [Fact]
    public void What_the_column_cannot_hold_is_refused()
    {
        AssertRefused(ShardKeyRefusal.OutOfRange, "'int2'", () => ShardKey.FromValue(40_000, ShardKeyType.Int2));
        AssertRefused(ShardKeyRefusal.OutOfRange, "'int4'", () => ShardKey.FromValue(1L << 31, ShardKeyType.Int4));
        AssertRefused(ShardKeyRefusal.OutOfRange, "'int8'", () => ShardKey.FromValue(ulong.MaxValue, ShardKeyType.Int8));
        AssertRefused(ShardKeyRefusal.OutOfRange, "character zero", () => ShardKey.Of("a\0b"));
        AssertRefused(ShardKeyRefusal.OutOfRange, "surrogate", () => ShardKey.Of("a\uD800"));
        AssertRefused(ShardKeyRefusal.OutOfRange, "surrogate", () => ShardKey.Of("😀\uDC00a"));
        AssertRefused(ShardKeyRefusal.WrongColumns, "5 columns", () => ShardKey.Composite(ShardKey.Of(1), ShardKey.Of(1), ShardKey.Of(1), ShardKey.Of(1), ShardKey.Of(1)));
        Assert.Equal("😀😀", ShardKey.Of("😀😀").GetText());
        Assert.Throws<ArgumentOutOfRangeException>(() => ShardKey.FromValue("a", (ShardKeyType)99));
    }

    [Fact]
    public void A_time_must_tell_its_column()
    {
        var local = new DateTime(2024, 1, 1, 0, 0, 0, DateTimeKind.Local);
        var utc = new DateTime(2024, 1, 1, 0, 0, 0, DateTimeKind.Utc);

        AssertRefused(ShardKeyRefusal.WrongType, "'ToUniversalTime'", () => ShardKey.Of(local));
        AssertRefused(ShardKeyRefusal.WrongType, "'timestamptz'", () => ShardKey.FromValue(local, ShardKeyType.TimestampTz));
        AssertRefused(ShardKeyRefusal.WrongType, "'timestamp'", () => ShardKey.FromValue(utc, ShardKeyType.Timestamp));
        Assert.Equal(ShardKey.Of(new DateTime(2024, 1, 1)), ShardKey.FromValue(local, ShardKeyType.Timestamp));
    }

    [Fact]
    public void Keys_compare_as_on_the_server()
    {
        AssertRising(ShardKey.Of(long.MinValue), ShardKey.Of(-1L), ShardKey.Of(0L), ShardKey.Of(long.MaxValue));
        AssertRising(ShardKey.Of(false), ShardKey.Of(true));
        AssertRising(ShardKey.Of(DateOnly.MinValue), ShardKey.Of(new DateOnly(1, 1, 2)), ShardKey.Of(new DateOnly(2000, 1, 1)), ShardKey.Of(DateOnly.MaxValue));
        AssertRising(ShardKey.Of(Array.Empty<byte>()), ShardKey.Of(new byte[] { 0 }), ShardKey.Of(new byte[] { 0, 0 }), ShardKey.Of(new byte[] { 200 }));
        AssertRising(
            ShardKey.Of(Guid.Empty),
            ShardKey.Of(new Guid("00000000-0000-0000-8000-000000000000")),
            ShardKey.Of(new Guid("01000000-0000-0000-0000-000000000000")),
            ShardKey.Of(new Guid("80000000-0000-0000-0000-000000000000")));

        // By UTF-8 bytes: characters beyond U+FFFF are the greatest, although their UTF-16 units are smaller than U+E000.
        AssertRising(ShardKey.Of(""), ShardKey.Of("A"), ShardKey.Of("AA"), ShardKey.Of("a"), ShardKey.Of("é"), ShardKey.Of("漢"), ShardKey.Of("\uE000"), ShardKey.Of("\uFFFD"), ShardKey.Of("😀"), ShardKey.Of("😁"));
        AssertRising(
            ShardKey.Of(1),
            ShardKey.Composite(ShardKey.Of(1), ShardKey.Of(int.MinValue)),
            ShardKey.Composite(ShardKey.Of(1), ShardKey.Of(5)),
            ShardKey.Composite(ShardKey.Of(1), ShardKey.Of(5), ShardKey.Of(0)),
            ShardKey.Of(2));
    }

    [Fact]
    public void Hash_of_one_column_does_not_allocate()
    {
        var keys = new[] { ShardKey.Of(1), ShardKey.Of(Guid.AllBitsSet), ShardKey.Of("some text"), ShardKey.Of(true) };
        var map = new HashShardMap(["a", "b"]);
        for (var round = 0; round < 2; round++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            foreach (ref readonly var key in keys.AsSpan())
            {
                map.ShardOf(key);
            }

            Assert.True(round == 0 || GC.GetAllocatedBytesForCurrentThread() == before);
        }
    }

    private static void AssertRising(params ShardKey[] keys)
    {
        for (var left = 0; left < keys.Length; left++)
        {
            for (var right = 0; right < keys.Length; right++)
            {
                Assert.Equal(left.CompareTo(right), Math.Sign(ShardKey.Compare(keys[left], keys[right])));
            }
        }
    }

    private static void AssertRefused(ShardKeyRefusal reason, string words, Func<ShardKey> make)
    {
        var exception = Assert.Throws<ShardKeyException>(() => make());
        Assert.Equal(reason, exception.Reason);
        Assert.Contains(words, exception.Message, StringComparison.Ordinal);
    }
}
