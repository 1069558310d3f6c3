using System.Text.RegularExpressions;

namespace EfScaling.Caching;

/// <summary>Finds in the application's SQL what even declared dependencies do not make cacheable.</summary>
/// <remarks>Looks for words, wherever they stand: a word inside a literal refuses too much, never too little. It does not tell what the SQL reads.</remarks>
internal static partial class RawSqlText
{
    /// <summary>Returns the first obstacle, or <see cref="CacheObstacle.RawSql"/>, which declared dependencies lift.</summary>
    public static CacheRefusal Judge(string sql)
    {
        if (!Query().IsMatch(sql) || Writing().IsMatch(sql))
        {
            return new CacheRefusal(CacheObstacle.WritingSql, "SQL of the application");
        }

        // Calls with a parenthesis, and the few that are written without: a column may be named like one of the others.
        foreach (var name in NamesIn(sql, Call()).Concat(NamesIn(sql, QuotedCall())).Concat(NamesIn(sql, Niladic())))
        {
            if (DeterministicFunctions.Judge(name, int.MaxValue) is { } obstacle and not CacheObstacle.UnknownFunction)
            {
                return new CacheRefusal(obstacle, name);
            }
        }

        return new CacheRefusal(CacheObstacle.RawSql, "SQL of the application");
    }

    /// <summary>Returns whether the SQL may write for all that its words tell: it is no query, holds a word of a write, or calls what is not known.</summary>
    public static bool MayWrite(string sql) =>
        !Query().IsMatch(sql)
        || Writing().IsMatch(sql)
        || NamesIn(sql, Call()).Any(name => !BeforeParenthesis().IsMatch(name) && IsUnknown(name))

        // In quotes no word is a keyword, and a name with a capital letter is no function of the server's.
        || NamesIn(sql, QuotedCall()).Any(name => name.Any(char.IsUpper) || IsUnknown(name));

    private static IEnumerable<string> NamesIn(string sql, Regex regex) => regex.Matches(sql).Select(m => m.Groups["name"].Value);

    private static bool IsUnknown(string name) => DeterministicFunctions.Judge(name, int.MaxValue) == CacheObstacle.UnknownFunction;

    [GeneratedRegex(@"^[\s(]*(SELECT|WITH|TABLE|VALUES)\b", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Query();

    [GeneratedRegex(
        @"\b(INSERT|UPDATE|DELETE|MERGE|TRUNCATE|INTO|CALL|TABLESAMPLE|FOR\s+(NO|KEY|SHARE|UPDATE)|setval|set_config|pg_(try_)?advisory\w*|pg_notify|dblink\w*|lo_\w+)\b",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Writing();

    // Between a name and its parenthesis there may be space and comments.
    [GeneratedRegex(@"(?<name>[\w$]+)(?>(?>\s+|--[^\n]*\n|/\*.*?\*/)*)\(", RegexOptions.Singleline | RegexOptions.CultureInvariant)]
    private static partial Regex Call();

    [GeneratedRegex("""
        "(?<name>(?:[^"]|"")*)"(?>(?>\s+|--[^\n]*\n|/\*.*?\*/)*)\(
        """, RegexOptions.Singleline | RegexOptions.CultureInvariant)]
    private static partial Regex QuotedCall();

    [GeneratedRegex(
        @"\b(?<name>current_(catalog|date|role|schema|time|timestamp|user)|localtime|localtimestamp|session_user)\b", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Niladic();

    // Words that a parenthesis follows without a call.
    [GeneratedRegex(
        "^(all|and|any|array|as|between|by|case|cast|distinct|else|end|except|exists|extract|filter|from|group|having|ilike|in|intersect|is|join|lateral|like|limit|"
        + "not|offset|on|or|order|over|partition|position|row|rows|select|set|sets|similar|some|substring|then|trim|union|using|values|when|where|with|within)$",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex BeforeParenthesis();
}
