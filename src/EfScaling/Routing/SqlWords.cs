using System.Collections.Frozen;
using System.Text.RegularExpressions;

namespace EfScaling.Routing;

/// <summary>Looks for words in SQL of the application, where not finding one proves something and finding one proves nothing.</summary>
internal static partial class SqlWords
{
    // A schema can be changed by no statement without one of these, except from within functions and procedures.
    private static readonly FrozenSet<string> _schemaWords =
        new[] { "CREATE", "ALTER", "DROP", "GRANT", "REVOKE", "REFRESH", "TRUNCATE", "DO", "CALL", "COMMENT", "SECURITY", "ATTACH", "DETACH", "IMPORT" }
            .ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    // A transaction is ended by no statement without one of these.
    private static readonly FrozenSet<string> _endWords =
        new[] { "COMMIT", "END", "ROLLBACK", "ABORT", "PREPARE" }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    /// <summary>Returns whether a statement may change the schema.</summary>
    public static bool MayChangeSchema(string sql) => Contains(sql, _schemaWords);

    /// <summary>Returns whether a statement of EF's migrations writes nothing: it asks whether the server is there, or keeps other migrations out.</summary>
    public static bool IsProbeOfMigrations(string sql) =>
        sql.AsSpan().Trim().Equals("SELECT 1", StringComparison.Ordinal) || sql.StartsWith("LOCK TABLE ", StringComparison.Ordinal);

    /// <summary>Returns whether a statement may end the transaction that it runs in.</summary>
    public static bool MayEndTransaction(string sql) => Contains(sql, _endWords);

    /// <summary>Returns whether a statement is <c>PREPARE TRANSACTION</c> and nothing else: what the transaction wrote becomes visible by another one.</summary>
    public static bool IsPrepareTransaction(string sql) => PrepareTransaction().IsMatch(sql);

    /// <summary>Returns whether a statement is <c>ROLLBACK PREPARED</c> and nothing else.</summary>
    public static bool IsRollbackPrepared(string sql) => RollbackPrepared().IsMatch(sql);

    private static bool Contains(string sql, FrozenSet<string> words)
    {
        var lookup = words.GetAlternateLookup<ReadOnlySpan<char>>();
        var text = sql.AsSpan();
        for (var i = 0; i < text.Length; i++)
        {
            if (!char.IsAsciiLetter(text[i]))
            {
                continue;
            }

            var start = i;
            while (i < text.Length && (char.IsAsciiLetterOrDigit(text[i]) || text[i] == '_'))
            {
                i++;
            }

            if (lookup.Contains(text[start..i]) && !IsOfConflict(text[start..i], text[i..]))
            {
                return true;
            }
        }

        return false;
    }

    // ON CONFLICT DO NOTHING and DO UPDATE; what a DO statement runs is a string.
    private static bool IsOfConflict(ReadOnlySpan<char> word, ReadOnlySpan<char> rest)
    {
        var next = rest.TrimStart();
        return word.Equals("DO", StringComparison.OrdinalIgnoreCase)
            && next.Length < rest.Length
            && (next.StartsWith("NOTHING", StringComparison.OrdinalIgnoreCase) || next.StartsWith("UPDATE ", StringComparison.OrdinalIgnoreCase));
    }

    // Of a name with a backslash the settings of the server decide where it ends.
    [GeneratedRegex(@"^\s*PREPARE\s+TRANSACTION\s+'[^'\\]*'\s*;?\s*$", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex PrepareTransaction();

    [GeneratedRegex(@"^\s*ROLLBACK\s+PREPARED\s+'[^'\\]*'\s*;?\s*$", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex RollbackPrepared();
}
