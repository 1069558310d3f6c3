using System.Collections.Concurrent;
using System.Collections.Immutable;
using EfScaling.Caching.Rows;

namespace EfScaling.Caching;

/// <summary>What the cache knows of a translated query; belongs to the query's command and is shared by all contexts that run it.</summary>
/// <remarks>Thread-safe.</remarks>
internal sealed class CachedQuery
{
    private readonly ImmutableArray<TableName> _tables;
    private readonly IReadOnlyList<RowColumn> _columns;
    private readonly bool _areFoundByName;
    private readonly ConcurrentDictionary<CacheStarter, Dependencies> _dependencies = new();

    /// <param name="hints">What the query says.</param>
    /// <param name="facts">What its SQL tree says.</param>
    /// <param name="commandText">Its SQL.</param>
    public CachedQuery(CacheHints hints, QueryFacts facts, string commandText)
    {
        Hints = hints;
        MayWriteUnseen = facts.MayWriteUnseen;
        var refusal = facts.Obstacle is { IsLiftedByDeclaration: true } && !hints.DependsOn.IsEmpty ? null : facts.Obstacle;
        Obstacle = refusal is null ? null : TextOf(refusal);
        (_columns, _areFoundByName) = (facts.Columns, facts.AreColumnsFoundByName);
        _tables = [.. facts.Tables, .. hints.DependsOn];
        using var key = new KeyWriter(stackalloc byte[512]);
        key.Write(commandText);
        key.Write((UInt128)hints.VaryBy.Length);
        foreach (var value in hints.VaryBy)
        {
            key.Write(value);
        }

        // Results that depend on more versions than those of the same SQL elsewhere are results of their own.
        foreach (var version in hints.Tags.Concat(hints.DependsOn.Select(t => t.Key)))
        {
            key.Write(version);
        }

        Text = key.Digest;
    }

    /// <summary>Gets what the query says.</summary>
    public CacheHints Hints { get; }

    /// <summary>Gets the digest of the SQL.</summary>
    public UInt128 Text { get; }

    /// <summary>Gets what keeps the result from being kept, whatever the database; <see langword="null"/> if nothing does.</summary>
    public string? Obstacle { get; }

    /// <summary>Gets whether the query calls or holds what nobody knows not to write.</summary>
    public bool MayWriteUnseen { get; }

    /// <summary>Returns what the result depends on.</summary>
    /// <param name="cache">The cache, by which what was found is remembered.</param>
    /// <param name="state">What it knows of the database.</param>
    /// <param name="codecs">The types whose values it can keep.</param>
    /// <param name="balances">What it has found out about the worth of results.</param>
    public Dependencies DependenciesIn(CacheStarter cache, CacheState state, RowCodecs codecs, FillBalances balances)
    {
        if (_dependencies.TryGetValue(cache, out var known) && ReferenceEquals(known.State, state))
        {
            return known;
        }

        var read = state.Catalog.ReadSet(_tables);
        var schema = RowSchema.TryCreate(_columns, out var obstacle, codecs, _areFoundByName);
        if (read.Obstacle is { } refusal)
        {
            obstacle = TextOf(refusal);
        }

        string[] versions = obstacle is not null
            ? []
            : [state.DataKey, state.SchemaKey, .. read.Tables.Select(state.KeyOf), .. Hints.Tags.Select(state.KeyOfTag)];
        return _dependencies[cache] = new Dependencies(state, versions, schema, read.HasRowSecurity, obstacle, balances.Of(Text));
    }

    private static string TextOf(CacheRefusal refusal) => $"{refusal.Obstacle} ({refusal.Detail})";

    /// <summary>What a result depends on.</summary>
    /// <param name="State">What was known of the database.</param>
    /// <param name="Versions">The keys of the versions.</param>
    /// <param name="Schema">The types of the columns; <see langword="null"/> if values of one of them cannot be kept.</param>
    /// <param name="NeedsScope">Whether the result differs by who reads.</param>
    /// <param name="Obstacle">What keeps the result from being kept; <see langword="null"/> if nothing does.</param>
    /// <param name="Balance">Whether results are used before writes make them old.</param>
    internal sealed record Dependencies(CacheState State, string[] Versions, RowSchema? Schema, bool NeedsScope, string? Obstacle, FillBalance Balance);
}
