using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace EfScaling.Sharding;

// Reading a key from text.
public readonly partial struct ShardKey
{
    /// <summary>Reads the key of one column from text, as it stands in an address, a header or a command line.</summary>
    /// <param name="text">
    /// A whole number, a uuid, <c>true</c> or <c>false</c>, a date as <c>2026-01-31</c>, a time in the format <c>O</c> (with <c>Z</c> or an offset for <c>timestamptz</c>,
    /// without for <c>timestamp</c>), bytes in hexadecimal digits, or the text itself.
    /// </param>
    /// <param name="type">The type of the column.</param>
    /// <param name="key">The key; <see langword="default"/> if there is none.</param>
    /// <returns><see langword="false"/> if the text is null or no value of the type.</returns>
    public static bool TryParse([NotNullWhen(true)] string? text, ShardKeyType type, out ShardKey key)
    {
        key = default;
        try
        {
            if (ValueOf(text, type) is { } value)
            {
                key = FromValue(value, type);
            }
        }
        catch (ShardKeyException)
        {
            // A number that is too large, or a text that PostgreSQL does not store.
        }

        return key.ColumnCount > 0;
    }

    private static object? ValueOf(string? text, ShardKeyType type) => type switch
    {
        _ when text is null => null,
        ShardKeyType.Int2 or ShardKeyType.Int4 or ShardKeyType.Int8 => long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number : null,
        ShardKeyType.Uuid => Guid.TryParse(text, out var guid) ? guid : null,
        ShardKeyType.Bool => bool.TryParse(text, out var flag) ? flag : null,
        ShardKeyType.Date => DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var date) ? date : null,
        ShardKeyType.Timestamp or ShardKeyType.TimestampTz => TimeOf(text, type),
        ShardKeyType.Bytea => BytesOf(text),
        _ => text,
    };

    private static DateTime? TimeOf(string text, ShardKeyType type)
    {
        const string RoundTrip = "yyyy-MM-ddTHH:mm:ss.FFFFFFFK";
        return DateTime.TryParseExact(text, RoundTrip, CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind, out var time)
            && time.Kind == DateTimeKind.Unspecified == (type == ShardKeyType.Timestamp)
            ? time.Kind == DateTimeKind.Local ? time.ToUniversalTime() : time
            : null;
    }

    private static byte[]? BytesOf(string text)
    {
        try
        {
            return Convert.FromHexString(text);
        }
        catch (FormatException)
        {
            return null;
        }
    }
}
