using System.Globalization;
using System.Text;

namespace EfScaling.Caching;

/// <summary>The name of a table or view, as a query or the database's catalog gives it.</summary>
/// <param name="Schema">The schema; <see langword="null"/> if the server finds it by the search path.</param>
/// <param name="Name">The name within the schema, without quotes.</param>
internal readonly record struct TableName(string? Schema, string Name) : IComparable<TableName>
{
    /// <summary>Gets the name as part of a key: different names have different texts, made of letters, digits, <c>_</c>, <c>%</c> and <c>.</c> alone.</summary>
    public string Key => Schema is null ? Escape(Name) : Escape(Schema) + "." + Escape(Name);

    /// <inheritdoc />
    public int CompareTo(TableName other) =>
        string.CompareOrdinal(Schema, other.Schema) is var order and not 0 ? order : string.CompareOrdinal(Name, other.Name);

    /// <summary>Returns <see cref="Key"/>.</summary>
    public override string ToString() => Key;

    // Four digits for each UTF-16 unit: UTF-8 would make one text of all unpaired surrogates.
    private static string Escape(string name)
    {
        var text = new StringBuilder(name.Length);
        foreach (var c in name)
        {
            if (char.IsAsciiLetterOrDigit(c) || c == '_')
            {
                text.Append(c);
            }
            else
            {
                text.Append(CultureInfo.InvariantCulture, $"%{(int)c:X4}");
            }
        }

        return text.ToString();
    }
}
