using System.Collections.Frozen;

namespace EfScaling.Caching;

/// <summary>The tables and views of a database and what ties them together, as they were when the catalog was read.</summary>
/// <remarks>
/// Immutable and thread-safe. Where it cannot tell, it names too many tables or refuses; it never names too few of those it was read with. A change of the
/// schema makes it old, and with it all cached results.
/// </remarks>
internal sealed class TableCatalog
{
    private readonly IReadOnlyList<string> _searchPath;
    private readonly FrozenDictionary<TableName, CatalogRelation> _relations;
    private readonly ILookup<TableName, TableName> _children;
    private readonly ILookup<TableName, ForeignKey> _referencing;

    /// <summary>Puts a catalog together.</summary>
    /// <param name="relations">All relations that a query can name, outside the system's schemas.</param>
    /// <param name="foreignKeys">All foreign keys among them; those that do nothing may be missing.</param>
    /// <param name="searchPath">The schemas in which the session looks for names without one, in order.</param>
    public TableCatalog(IEnumerable<CatalogRelation> relations, IEnumerable<ForeignKey> foreignKeys, IReadOnlyList<string> searchPath)
    {
        _relations = relations.ToFrozenDictionary(r => r.Name);
        _children = _relations.Values.SelectMany(r => r.Parents.Select(p => (Parent: p, Child: r.Name))).ToLookup(e => e.Parent, e => e.Child);
        _referencing = foreignKeys.ToLookup(k => k.To);
        _searchPath = [.. searchPath];
        TablesWithTriggers = [.. _relations.Values.Where(r => r.HasTriggers).Select(r => r.Name).Order()];
    }

    /// <summary>Gets the tables on which triggers of the application run.</summary>
    public IReadOnlyList<TableName> TablesWithTriggers { get; }

    /// <summary>Finds the table or view that the server means by a name.</summary>
    /// <returns>The name with its schema, or <see langword="null"/> if the catalog has none: it is temporary, new, of the system, or not there.</returns>
    public TableName? Resolve(TableName name)
    {
        if (name.Schema is not null)
        {
            return _relations.ContainsKey(name) ? name : null;
        }

        // The system's own relations are looked for first, and all are named like this.
        if (name.Name.StartsWith("pg_", StringComparison.Ordinal))
        {
            return null;
        }

        foreach (var schema in _searchPath)
        {
            if (schema == "information_schema")
            {
                // Its views are not in the catalog, and one of them may have the name.
                return null;
            }

            if (_relations.ContainsKey(new TableName(schema, name.Name)))
            {
                return new TableName(schema, name.Name);
            }
        }

        return null;
    }

    /// <summary>Follows what a query names to what its result depends on.</summary>
    /// <param name="names">The tables and views that the query names.</param>
    public ReadSet ReadSet(IEnumerable<TableName> names)
    {
        var tables = new SortedSet<TableName>();
        var hasRowSecurity = false;
        CacheRefusal? obstacle = null;
        var followed = new HashSet<TableName>();
        var open = new Stack<TableName>();
        foreach (var name in names)
        {
            Follow(Resolve(name), name);
        }

        while (open.TryPop(out var next))
        {
            var relation = _relations[next];
            hasRowSecurity |= relation.HasRowSecurity;
            obstacle ??= ObstacleOf(relation);
            if (relation.Kind != RelationKind.View)
            {
                tables.Add(next);
            }

            // A materialised view shows what it was filled with, until it is refreshed.
            foreach (var reference in relation.Kind == RelationKind.MaterializedView ? [] : relation.References)
            {
                Follow(_relations.ContainsKey(reference) ? reference : null, reference);
            }
        }

        return new ReadSet([.. tables], hasRowSecurity, obstacle);

        void Follow(TableName? resolved, TableName name)
        {
            if (resolved is not { } found)
            {
                obstacle ??= new CacheRefusal(CacheObstacle.UnknownTable, name.Key);
            }
            else if (followed.Add(found))
            {
                open.Push(found);
            }
        }
    }

    /// <summary>Follows a write to all tables whose rows it may change, or show through their parents.</summary>
    /// <param name="name">The table that the statement names.</param>
    /// <param name="kind">What the statement does.</param>
    /// <returns>The tables, distinct and sorted, all with their schemas; <see langword="null"/> if it cannot be told what is written.</returns>
    /// <remarks>What triggers write is not among them: see <see cref="TablesWithTriggers"/>.</remarks>
    public IReadOnlyList<TableName>? WriteSet(TableName name, WriteKind kind)
    {
        if (Resolve(name) is not { } written)
        {
            return null;
        }

        var tables = new SortedSet<TableName>();
        var done = new HashSet<(TableName Table, WriteKind Kind)>();
        var open = new Stack<(TableName Table, WriteKind Kind)>();
        open.Push((written, kind));
        while (open.TryPop(out var write))
        {
            if (!done.Add(write))
            {
                continue;
            }

            if (!_relations.TryGetValue(write.Table, out var relation) || relation.HasRewrittenWrites)
            {
                return null;
            }

            switch (relation.Kind)
            {
                case RelationKind.View:
                    // Which of its tables the server writes is not asked: one too many is only a miss.
                    foreach (var reference in relation.References)
                    {
                        open.Push((reference, write.Kind));
                    }

                    break;
                case RelationKind.Table or RelationKind.PartitionedTable:
                    var family = Closure([write.Table], t => _children[t]);
                    foreach (var member in family)
                    {
                        // A foreign partition may be a table of this very database under another name, and rules hold for the table that a statement names.
                        if (_relations[member].Kind == RelationKind.ForeignTable)
                        {
                            return null;
                        }

                        foreach (var next in CausedBy(member, write.Kind))
                        {
                            open.Push(next);
                        }
                    }

                    tables.UnionWith(Closure(family, t => _relations[t].Parents));
                    break;
                default:
                    return null;
            }
        }

        return [.. tables];
    }

    private CacheRefusal? ObstacleOf(CatalogRelation relation)
    {
        if (relation.Kind == RelationKind.ForeignTable || Closure([relation.Name], t => _children[t]).Any(t => _relations[t].Kind == RelationKind.ForeignTable))
        {
            return new CacheRefusal(CacheObstacle.ForeignTable, relation.Name.Key);
        }

        if (relation.Kind == RelationKind.Other)
        {
            return new CacheRefusal(CacheObstacle.UnknownTable, relation.Name.Key);
        }

        if (relation.Kind == RelationKind.MaterializedView)
        {
            return null;
        }

        if (relation.ReadsSystemCatalog)
        {
            return new CacheRefusal(CacheObstacle.SystemCatalog, relation.Name.Key);
        }

        // A policy may ask who reads: that is what the scope is for.
        return RefusalOf(relation.Functions, null) ?? RefusalOf(relation.PolicyFunctions, CacheObstacle.SessionState);

        CacheRefusal? RefusalOf(IReadOnlyList<CatalogFunction> functions, CacheObstacle? allowed) =>
            (from function in functions
             let obstacle = function.IsBuiltIn ? DeterministicFunctions.Judge(function.Name, function.Arguments) : CacheObstacle.UnknownFunction
             where obstacle is not null && obstacle != allowed
             select new CacheRefusal(obstacle.Value, $"{function.Name} in {relation.Name.Key}")).FirstOrDefault();
    }

    private IEnumerable<(TableName Table, WriteKind Kind)> CausedBy(TableName table, WriteKind kind)
    {
        if (kind == WriteKind.Insert)
        {
            yield break;
        }

        // Up to PostgreSQL 14 an update that moves a row to another partition runs the keys' actions for a delete.
        var mayDelete = kind == WriteKind.Delete || Closure([table], t => _relations[t].Parents).Any(t => _relations[t].Kind == RelationKind.PartitionedTable);
        foreach (var key in _referencing[table])
        {
            if (mayDelete && key.OnDelete != ForeignKeyAction.None)
            {
                yield return (key.From, key.OnDelete == ForeignKeyAction.Cascade ? WriteKind.Delete : WriteKind.Update);
            }

            if (kind == WriteKind.Update && key.OnUpdate != ForeignKeyAction.None)
            {
                yield return (key.From, WriteKind.Update);
            }
        }
    }

    // The tables themselves and all that can be reached from them; what the catalog does not list is left out.
    private HashSet<TableName> Closure(IEnumerable<TableName> tables, Func<TableName, IEnumerable<TableName>> step)
    {
        var reached = new HashSet<TableName>();
        var open = new Stack<TableName>(tables);
        while (open.TryPop(out var table))
        {
            if (_relations.ContainsKey(table) && reached.Add(table))
            {
                foreach (var next in step(table))
                {
                    open.Push(next);
                }
            }
        }

        return reached;
    }
}
