using System.Globalization;

namespace EfScaling.Sharding;

// Keeping a key as text.
public readonly partial struct ShardKey
{
    /// <summary>Writes one column as a text that reads back exactly: numbers, days and microseconds as digits, bytes in base 64.</summary>
    internal string ToStored(int column)
    {
        var key = this[column];
        return key._type switch
        {
            ShardKeyType.Text => (string)key._value!,
            ShardKeyType.Bytea => Convert.ToBase64String((byte[])key._value!),
            ShardKeyType.Uuid => key.GetGuid().ToString(),
            _ => key._number.ToString(CultureInfo.InvariantCulture),
        };
    }

    /// <summary>Reads what <see cref="ToStored"/> has written.</summary>
    /// <exception cref="FormatException">The text was not written so.</exception>
    internal static ShardKey FromStored(ShardKeyType type, string text) => type switch
    {
        ShardKeyType.Text => Of(text),
        ShardKeyType.Bytea => Of(Convert.FromBase64String(text)),
        ShardKeyType.Uuid => Of(Guid.Parse(text)),
        _ => new(type, long.Parse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture)),
    };
}
