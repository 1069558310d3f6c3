using System.Collections.Frozen;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace EfScaling.Routing.Scatter;

/// <summary>The settings of a session by which PostgreSQL writes values as texts, and which must not make other values of them where they are read.</summary>
/// <remarks>
/// Dates in the ISO style, intervals with a sign for each part, and floating-point numbers with all their digits are read as what they are, whatever the reader's own settings.
/// </remarks>
internal static class TextSettings
{
    private const string Marker = "is not how shards exchange values";

    private static readonly FrozenDictionary<string, string> _conditions = new Dictionary<string, string>
    {
        ["DateStyle"] = "current_setting('DateStyle') LIKE 'ISO%'",
        ["IntervalStyle"] = "current_setting('IntervalStyle') IN ('postgres', 'iso_8601')",
        ["extra_float_digits"] = "current_setting('extra_float_digits')::int > 0",
    }.ToFrozenDictionary(StringComparer.Ordinal);

    // Of other types, among them arrays and ranges, any setting may matter.
    private static readonly FrozenDictionary<string, string?> _settings = new Dictionary<string, string?>
    {
        ["smallint"] = null, ["integer"] = null, ["bigint"] = null, ["numeric"] = null, ["boolean"] = null, ["uuid"] = null, ["bytea"] = null, ["json"] = null, ["jsonb"] = null,
        ["text"] = null, ["character varying"] = null, ["character"] = null, ["citext"] = null,
        ["date"] = "DateStyle", ["timestamp with time zone"] = "DateStyle", ["timestamp without time zone"] = "DateStyle", ["time without time zone"] = null, ["time with time zone"] = null,
        ["interval"] = "IntervalStyle", ["real"] = "extra_float_digits", ["double precision"] = "extra_float_digits",
    }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>Returns the condition, true of every row, that fails where values of some types would be written in another way.</summary>
    /// <param name="types">The types, as SQL.</param>
    /// <returns><see langword="null"/> if all of them are written in one way only.</returns>
    public static SqlExpression? ConditionFor(IReadOnlyCollection<string> types)
    {
        var conditions = types.SelectMany(SettingsOf).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)
            .Select(s => $"CASE WHEN {_conditions[s]} THEN TRUE ELSE ('{s} ' || current_setting('{s}') || ' {Marker}')::boolean END")
            .ToList();
        return conditions.Count == 0 ? null : new SqlFragmentExpression(string.Join(" AND ", conditions), typeof(bool), BoolTypeMapping.Default);
    }

    /// <summary>Explains the failure of such a condition.</summary>
    /// <param name="failure">What a part of a query failed with.</param>
    /// <param name="shard">The shard that it ran on.</param>
    /// <returns>The failure itself if it is another one.</returns>
    public static Exception Explain(Exception failure, string shard) =>
        failure is PostgresException { SqlState: PostgresErrorCodes.InvalidTextRepresentation } refused && refused.MessageText.Contains(Marker, StringComparison.Ordinal)
            ? new InvalidOperationException(
                $"A query over several shards collects values as texts, and the sessions of shard '{shard}' would write them in a way that another shard may read as other values: {refused.MessageText}. Set DateStyle to 'ISO', IntervalStyle to 'postgres' and extra_float_digits to 1, their defaults, by ALTER DATABASE ... SET, ALTER ROLE ... SET or in postgresql.conf, or by Options in its connection string.",
                refused)
            : failure;

    private static IEnumerable<string> SettingsOf(string type)
    {
        var name = type.Split(["(", " COLLATE "], 2, StringSplitOptions.None)[0];
        return _settings.TryGetValue(name, out var setting) && !type.EndsWith(']') ? (setting is null ? [] : [setting]) : _conditions.Keys;
    }
}
