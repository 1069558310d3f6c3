using System.Globalization;

namespace EfScaling.Projections;

/// <summary>Writes the keys of views as text, as the outbox and document stores know them.</summary>
public static class ProjectionKey
{
    private static readonly Type[] _types = [typeof(short), typeof(int), typeof(long), typeof(Guid), typeof(string)];

    /// <summary>Returns the text of a key.</summary>
    /// <typeparam name="TKey"><see langword="short"/>, <see langword="int"/>, <see langword="long"/>, <see cref="Guid"/> or <see langword="string"/>.</typeparam>
    /// <param name="key">The key.</param>
    /// <returns>Digits, the hyphenated lower-case form of a <see cref="Guid"/>, or the string itself; the same in every culture.</returns>
    /// <exception cref="ArgumentException">The key has another type.</exception>
    public static string Format<TKey>(TKey key)
        where TKey : notnull =>
        FormatValue(key);

    internal static string FormatValue(object key) => key switch
    {
        string text => text,
        short or int or long => ((IFormattable)key).ToString(null, CultureInfo.InvariantCulture),
        Guid id => id.ToString("D", CultureInfo.InvariantCulture),
        _ => throw Refusal(key.GetType()),
    };

    internal static TKey Parse<TKey>(string text)
    {
        object key = typeof(TKey) switch
        {
            var type when type == typeof(string) => text,
            var type when type == typeof(int) => int.Parse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture),
            var type when type == typeof(long) => long.Parse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture),
            var type when type == typeof(short) => short.Parse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture),
            var type when type == typeof(Guid) => Guid.ParseExact(text, "D"),
            var type => throw Refusal(type),
        };
        return (TKey)key;
    }

    // Types whose text and order are the same here and on the server. Others, such as times and decimals, have several texts for one value.
    internal static void Check(Type type)
    {
        if (!_types.Contains(type))
        {
            throw Refusal(type);
        }
    }

    private static ArgumentException Refusal(Type type) =>
        new($"A projection cannot be keyed by '{type.Name}'. Use a property of type short, int, long, Guid or string.");
}
