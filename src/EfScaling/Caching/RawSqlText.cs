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

        foreach (var word in Word().EnumerateMatches(sql))
        {
            var name = sql.AsSpan(word.Index, word.Length).ToString();

            // Calls with a parenthesis, and the few that are written without: a column may be named like one of the others.
            var isCall = sql.AsSpan(word.Index + word.Length).TrimStart().StartsWith("(");
            if ((isCall || Niladic().IsMatch(name)) && DeterministicFunctions.Judge(name, int.MaxValue) is { } obstacle and not CacheObstacle.UnknownFunction)
            {
                return new CacheRefusal(obstacle, name);
            }
        }

        return new CacheRefusal(CacheObstacle.RawSql, "SQL of the application");
    }

    /// <summary>Returns whether the SQL may write for all that its words tell: it is no query, holds a word of a write, or calls what is not known.</summary>
    public static bool MayWrite(string sql)
    {
        if (!Query().IsMatch(sql) || Writing().IsMatch(sql))
        {
            return true;
        }

        foreach (var word in Word().EnumerateMatches(sql))
        {
            var isCall = sql.AsSpan(word.Index + word.Length).TrimStart().StartsWith("(");
            if (isCall
                && sql.AsSpan(word.Index, word.Length).ToString() is var name
                && !BeforeParenthesis().IsMatch(name)
                && DeterministicFunctions.Judge(name, int.MaxValue) == CacheObstacle.UnknownFunction)
            {
                return true;
            }
        }

        return false;
    }

    [GeneratedRegex(@"^[\s(]*(SELECT|WITH|TABLE|VALUES)\b", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Query();

    [GeneratedRegex(
        @"\b(INSERT|UPDATE|DELETE|MERGE|TRUNCATE|INTO|CALL|TABLESAMPLE|FOR\s+(NO|KEY|SHARE|UPDATE)|setval|set_config|pg_(try_)?advisory\w*|pg_notify|dblink\w*|lo_\w+)\b",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Writing();

    [GeneratedRegex(@"\w+", RegexOptions.CultureInvariant)]
    private static partial Regex Word();

    [GeneratedRegex("^(current_(catalog|date|role|schema|time|timestamp|user)|localtime|localtimestamp|session_user)$", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Niladic();

    // Words that a parenthesis follows without a call.
    [GeneratedRegex(
        "^(all|and|any|array|as|between|by|case|cast|distinct|else|end|except|exists|extract|filter|from|group|having|ilike|in|intersect|is|join|lateral|like|limit|"
        + "not|offset|on|or|order|over|partition|position|row|rows|select|set|sets|similar|some|substring|then|trim|union|using|values|when|where|with|within)$",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex BeforeParenthesis();
}
