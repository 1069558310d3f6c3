using EfScaling.Sharding;

namespace EfScaling.Tests.Sharding;

public sealed class ShardKeyParseTests
{
    private static readonly Guid _guid = Guid.Parse("018f4d6e-0000-7000-8000-000000000001");

    public static TheoryData<string, ShardKeyType, object> Values => new()
    {
        { "42", ShardKeyType.Int2, (short)42 },
        { "-42", ShardKeyType.Int4, -42 },
        { "9223372036854775807", ShardKeyType.Int8, long.MaxValue },
        { _guid.ToString(), ShardKeyType.Uuid, _guid },
        { "eu/4711", ShardKeyType.Text, "eu/4711" },
        { "true", ShardKeyType.Bool, true },
        { "2026-01-31", ShardKeyType.Date, new DateOnly(2026, 1, 31) },
        { "2026-01-31T12:00:00", ShardKeyType.Timestamp, new DateTime(2026, 1, 31, 12, 0, 0, DateTimeKind.Unspecified) },
        { "2026-01-31T12:00:00.5Z", ShardKeyType.TimestampTz, new DateTime(2026, 1, 31, 12, 0, 0, 500, DateTimeKind.Utc) },
        { "2026-01-31T14:00:00+02:00", ShardKeyType.TimestampTz, new DateTime(2026, 1, 31, 12, 0, 0, DateTimeKind.Utc) },
        { "00ff", ShardKeyType.Bytea, new byte[] { 0, 255 } },
    };

    [Theory]
    [MemberData(nameof(Values))]
    public void Reads_a_value_of_each_type(string text, ShardKeyType type, object value)
    {
        Assert.True(ShardKey.TryParse(text, type, out var key));
        Assert.Equal(ShardKey.FromValue(value, type), key);
    }

    [Theory]
    [InlineData(null, ShardKeyType.Text)]
    [InlineData("", ShardKeyType.Int4)]
    [InlineData("32768", ShardKeyType.Int2)]
    [InlineData("1.0", ShardKeyType.Int4)]
    [InlineData("1,000", ShardKeyType.Int4)]
    [InlineData("99999999999", ShardKeyType.Int4)]
    [InlineData("9223372036854775808", ShardKeyType.Int8)]
    [InlineData("018f4d6e", ShardKeyType.Uuid)]
    [InlineData("a\0b", ShardKeyType.Text)]
    [InlineData("1", ShardKeyType.Bool)]
    [InlineData("31.01.2026", ShardKeyType.Date)]
    [InlineData("2026-01-31T12:00:00Z", ShardKeyType.Timestamp)]
    [InlineData("2026-01-31T12:00:00", ShardKeyType.TimestampTz)]
    [InlineData("0ff", ShardKeyType.Bytea)]
    public void Refuses_what_is_no_value_of_the_type(string? text, ShardKeyType type)
    {
        Assert.False(ShardKey.TryParse(text, type, out var key));
        Assert.Equal(default, key);
    }
}
