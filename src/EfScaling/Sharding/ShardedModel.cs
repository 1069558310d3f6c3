using System.Collections.Frozen;
using System.Collections.Immutable;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;

namespace EfScaling.Sharding;

/// <summary>Where the rows of every table of a model live. Found once for each model; immutable and thread-safe.</summary>
internal sealed class ShardedModel
{
    private const string AnnotationName = "EfScaling:ShardedModel";

    private readonly FrozenDictionary<(string? Schema, string Name), ShardedTable> _tables;
    private readonly FrozenDictionary<IReadOnlyEntityType, ShardedTable> _entities;

    private ShardedModel(IModel model)
    {
        var tables = new Dictionary<(string? Schema, string Name), ShardedTable>();
        var entities = new Dictionary<IReadOnlyEntityType, ShardedTable>();
        var maps = new Dictionary<string, ShardedTable>(StringComparer.Ordinal);
        var mapsOfIds = new HashSet<string>(StringComparer.Ordinal);
        foreach (var entityType in model.GetEntityTypes())
        {
            var placement = EntityPlacement.Of(entityType);
            foreach (var table in entityType.GetTableMappings().Select(m => m.Table))
            {
                var known = TableOf(entityType, placement, table);
                tables[(table.Schema, table.Name)] = tables.TryGetValue((table.Schema, table.Name), out var shared) ? shared.With(known) : known;
                entities.TryAdd(entityType, entityType.IsMappedToJson() && placement.Placement == TablePlacement.Sharded ? InJson(entityType, placement) : known);
                if (known.Placement == TablePlacement.Sharded)
                {
                    mapsOfIds.UnionWith(known.Ids.IsEmpty ? [] : [known.Map]);
                    if (!known.Key.IsEmpty)
                    {
                        maps.TryAdd(known.Map, known);
                    }
                }
            }

            foreach (var view in entityType.GetViewMappings().Select(m => m.View))
            {
                tables.TryAdd((view.Schema, view.Name), TableOf(entityType, placement, view));
            }
        }

        _tables = tables.ToFrozenDictionary();
        _entities = entities.ToFrozenDictionary();
        HasReferenceTables = _entities.Values.Any(t => t.Placement == TablePlacement.Reference);
        MapsOfIds = mapsOfIds.ToFrozenSet();
        Keys = maps.ToFrozenDictionary(m => m.Key, m => (IReadOnlyList<ShardKeyType>)[.. m.Value.Key.Select(c => c.Type)]);
    }

    /// <summary>Gets the types of the keys of each shard map that the model names.</summary>
    public FrozenDictionary<string, IReadOnlyList<ShardKeyType>> Keys { get; }

    /// <summary>Gets whether some tables have a copy on every shard.</summary>
    public bool HasReferenceTables { get; }

    /// <summary>Gets the names of the maps whose buckets ids carry.</summary>
    public FrozenSet<string> MapsOfIds { get; }

    /// <summary>Returns the placements of a model.</summary>
    /// <remarks>The model has passed <see cref="ShardedModelConvention"/>.</remarks>
    public static ShardedModel Of(IModel model) => model.GetOrAddRuntimeAnnotationValue(AnnotationName, static m => new ShardedModel(m!), model);

    /// <summary>Returns where the rows of a table or view live; <see langword="null"/> if the model does not know it.</summary>
    public ShardedTable? Find(string? schema, string name) => _tables.GetValueOrDefault((schema, name));

    /// <summary>Returns where the rows of an entity type live.</summary>
    public ShardedTable Find(IReadOnlyEntityType entityType) => _entities.GetValueOrDefault(entityType, ShardedTable.OnDefaultShard);

    private static ShardedTable TableOf(IEntityType entityType, EntityPlacement placement, ITableBase table) => placement.Placement switch
    {
        TablePlacement.Reference => ShardedTable.Reference,
        TablePlacement.Sharded => new ShardedTable(
            TablePlacement.Sharded,
            placement.Map,
            KeyIn(entityType, placement, table),
            [.. entityType.GetProperties().Where(ShardedIdColumn.Tells).Select(p => IdColumnOf(p, table)).OfType<ShardedIdColumn>()]),
        _ => ShardedTable.OnDefaultShard,
    };

    // What is stored in a column of its owner's row has no columns; its properties tell where it lives all the same.
    private static ShardedTable InJson(IEntityType entityType, EntityPlacement placement) => new(
        TablePlacement.Sharded,
        placement.Map,
        [.. placement.Key.Select(p => entityType.FindProperty(p.Name)!).Select(p => new ShardKeyColumn(p.Name, ShardKeyColumn.TypeOf(p.GetRelationalTypeMapping().StoreType)!.Value, p))],
        [.. entityType.GetProperties().Where(ShardedIdColumn.Tells).Select(p => new ShardedIdColumn(p.Name, p))]);

    // Of several tables that hold an entity, all but one may have its id alone.
    private static ImmutableArray<ShardKeyColumn> KeyIn(IEntityType entityType, EntityPlacement placement, ITableBase table)
    {
        var key = placement.Key.Select(p => entityType.FindProperty(p.Name)!).ToList();
        return key.TrueForAll(p => table.FindColumn(p) is not null) ? [.. key.Select(p => ColumnOf(p, table))] : [];
    }

    // A column that other entities use as well tells buckets only if it does for all of them.
    private static ShardedIdColumn? IdColumnOf(IProperty property, ITableBase table) =>
        table.FindColumn(property) is { } column && column.PropertyMappings.All(m => ShardedIdColumn.Tells(m.Property)) ? new ShardedIdColumn(column.Name, property) : null;

    private static ShardKeyColumn ColumnOf(IProperty property, ITableBase table)
    {
        var column = table.FindColumn(property)!;
        return new ShardKeyColumn(column.Name, ShardKeyColumn.TypeOf(column.StoreType)!.Value, property, ShardKeyColumn.MaxLengthOf(column.StoreType));
    }
}
