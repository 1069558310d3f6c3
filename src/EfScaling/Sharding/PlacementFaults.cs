using System.Collections.Immutable;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;

namespace EfScaling.Sharding;

/// <summary>Finds what in a model cannot be sharded as it says, all of it at once.</summary>
/// <remarks>Used once for each model; not thread-safe.</remarks>
internal sealed class PlacementFaults
{
    private readonly IModel _model;
    private readonly List<string> _faults = [];

    private PlacementFaults(IModel model) => _model = model;

    /// <summary>Refuses a model that cannot work.</summary>
    /// <exception cref="InvalidOperationException">It cannot; the message lists every fault with its remedy.</exception>
    public static void Refuse(IModel model)
    {
        var faults = new PlacementFaults(model);
        faults.Find();
        if (faults._faults.Count > 0)
        {
            throw new InvalidOperationException(
                $"UseSharding cannot work with this model, for {(faults._faults.Count == 1 ? "one reason" : $"{faults._faults.Count} reasons")}:\n- {string.Join("\n- ", faults._faults)}");
        }
    }

    private void Find()
    {
        foreach (var entityType in _model.GetEntityTypes())
        {
            if (entityType.BaseType is not null)
            {
                JudgeDerived(entityType);
                continue;
            }

            var placement = EntityPlacement.Of(entityType);
            if (placement.Placement == TablePlacement.Sharded)
            {
                JudgeKey(entityType, placement);
            }

            foreach (var property in entityType.GetDerivedTypesInclusive().SelectMany(t => t.GetDeclaredProperties()).Where(p => p[ShardedIdColumn.Annotation] is true))
            {
                JudgeId(property, placement);
            }

            foreach (var foreignKey in entityType.GetDerivedTypesInclusive().SelectMany(t => t.GetDeclaredForeignKeys()))
            {
                JudgeForeignKey(foreignKey, placement);
            }
        }

        JudgeMaps();
    }

    private void JudgeDerived(IEntityType entityType)
    {
        if (entityType[EntityPlacement.PlacementAnnotation] is not null)
        {
            Note($"'{entityType.DisplayName()}' is derived from '{entityType.BaseType!.DisplayName()}', and a hierarchy lives in one place. Call IsSharded, IsReferenceTable or OnDefaultShard on '{entityType.GetRootType().DisplayName()}'.");
        }
    }

    private void JudgeKey(IEntityType entityType, EntityPlacement placement)
    {
        var name = entityType.DisplayName();
        if (entityType[EntityPlacement.KeyAnnotation] is string named && named.Split(',').Length != placement.Key.Length)
        {
            var missing = named.Split(',').Where(p => entityType.FindProperty(p) is null);
            Note($"The shard key of '{name}' names '{string.Join(", ", missing)}', which is no property that is stored. Name a mapped property in IsSharded(...).");
            return;
        }

        if (placement.Key.IsEmpty && !entityType.GetProperties().Any(ShardedIdColumn.Tells))
        {
            Note($"'{name}' belongs to sharded rows but does not refer to them by their shard key. Make the shard key part of the primary key of its owner, and of its foreign key.");
            return;
        }

        foreach (var property in placement.Key.Cast<IProperty>())
        {
            JudgeColumn(entityType, property);
        }

        if (entityType.FindPrimaryKey() is { } primaryKey && !Contains(primaryKey.Properties, placement.Key))
        {
            Note($"The primary key of '{name}' lacks the shard key '{NamesOf(placement.Key)}': a row could not be told from one on another shard. Call HasKey(...) with the shard key in it, or let a key of type long alone be made by HasShardedId().");
        }

        foreach (var key in entityType.GetDerivedTypesInclusive().SelectMany(t => t.GetDeclaredKeys()).Where(k => !k.IsPrimaryKey() && !Contains(k.Properties, placement.Key)))
        {
            Note($"The alternate key '{NamesOf(key.Properties)}' of '{name}' lacks the shard key '{NamesOf(placement.Key)}', so each shard could only see to its own rows. Add the shard key to HasAlternateKey(...).");
        }

        foreach (var index in entityType.GetDerivedTypesInclusive().SelectMany(t => t.GetDeclaredIndexes()).Where(i => i.IsUnique && !Contains(i.Properties, placement.Key)))
        {
            Note($"The unique index '{NamesOf(index.Properties)}' of '{name}' lacks the shard key '{NamesOf(placement.Key)}', so each shard could only see to its own rows. Add the shard key to HasIndex(...), or drop IsUnique().");
        }
    }

    private void JudgeColumn(IEntityType entityType, IProperty property)
    {
        var name = $"'{entityType.DisplayName()}.{property.Name}'";
        var storeType = property.GetColumnType();
        if (ShardKeyColumn.TypeOf(storeType) is null)
        {
            Note($"The shard key {name} is stored as '{storeType}', whose equal values may have different bytes. Store it as smallint, integer, bigint, uuid, text, bytea, boolean, date or timestamp, by HasColumnType(...) or HasConversion<...>().");
        }

        if (ShardKeyColumn.PrecisionOf(storeType) is < ShardKeyColumn.MicrosecondDigits)
        {
            Note($"The shard key {name} is stored as '{storeType}', to which the database rounds the value that the shard is chosen by. Call HasPrecision(6), or store a date.");
        }

        if (property.IsNullable)
        {
            Note($"The shard key {name} may be null, and null belongs to no shard. Call IsRequired().");
        }

        if (property.ValueGenerated.HasFlag(ValueGenerated.OnAdd) && property.GetValueGeneratorFactory() is null && (property.ClrType != typeof(Guid) || property.GetDefaultValueSql() is not null) && !property.IsForeignKey())
        {
            Note($"The shard key {name} is generated by the database, which must be chosen by it first. Use a Guid, or call ValueGeneratedNever() and set it.");
        }

        if (property.ValueGenerated.HasFlag(ValueGenerated.OnUpdate) || property.GetComputedColumnSql() is not null)
        {
            Note($"The shard key {name} is computed by the database, which must be chosen by it first. Store the value.");
        }

        if (!Collations.IsExact(property))
        {
            Note($"The shard key {name} has the collation '{Collations.CollationOf(property)}', by which texts with different bytes may be equal. Use a collation that every server has, such as \"C\" or \"und-x-icu\", or one that is declared by HasCollation(..., deterministic: true).");
        }
    }

    private void JudgeId(IProperty property, EntityPlacement placement)
    {
        var name = $"'{property.DeclaringType.DisplayName()}.{property.Name}'";
        if (placement.Placement != TablePlacement.Sharded)
        {
            Note($"HasShardedId was called on {name}, whose rows have no shard key and so no bucket that an id could carry. Use a Guid, or call ValueGeneratedNever() and set it.");
        }
        else if (placement.Key.Any(k => k.Name == property.Name))
        {
            Note($"HasShardedId was called on {name}, which is the shard key itself, whose bucket the id would carry. Use a Guid, or call ValueGeneratedNever() and set it.");
        }

        if (ShardKeyColumn.TypeOf(property.GetColumnType()) != ShardKeyType.Int8)
        {
            Note($"HasShardedId was called on {name}, which is stored as '{property.GetColumnType()}' and cannot hold an id of 64 bits. Make it a long.");
        }
    }

    private void JudgeForeignKey(IForeignKey foreignKey, EntityPlacement dependent)
    {
        var principal = EntityPlacement.Of(foreignKey.PrincipalEntityType);
        var (from, to) = (foreignKey.DeclaringEntityType.DisplayName(), foreignKey.PrincipalEntityType.DisplayName());
        switch (dependent.Placement, principal.Placement)
        {
            case (_, TablePlacement.Reference):
            case (TablePlacement.DefaultShard, TablePlacement.DefaultShard):
                return;

            case (TablePlacement.Sharded, TablePlacement.Sharded) when dependent.Map != principal.Map:
                Note($"'{from}' refers to '{to}', whose shard map '{principal.Map}' is not its own ('{dependent.Map}'), so that they live on different shards. Give both the same map, or keep the value without a relationship.");
                return;

            case (TablePlacement.Sharded, TablePlacement.Sharded) when foreignKey.PrincipalKey.Properties.Any(ShardedIdColumn.Tells):
                return;

            case (TablePlacement.Sharded, TablePlacement.Sharded):
                for (var i = 0; i < dependent.Key.Length && i < principal.Key.Length; i++)
                {
                    var at = foreignKey.Properties.ToList().FindIndex(p => p.Name == dependent.Key[i].Name);
                    if (at < 0 || foreignKey.PrincipalKey.Properties[at].Name != principal.Key[i].Name)
                    {
                        Note($"The foreign key '{NamesOf(foreignKey.Properties)}' from '{from}' to '{to}' does not tie their shard keys '{dependent.Key[i].Name}' and '{principal.Key[i].Name}' to each other, so that a row could refer to another shard. {RemedyOf(foreignKey)}");
                        return;
                    }
                }

                return;

            case (TablePlacement.Sharded, _):
                Note($"'{from}' is sharded and refers to '{to}', which lives on the default shard alone. Call IsReferenceTable() on '{to}', shard it by the same key, or keep the value without a relationship.");
                return;

            case (TablePlacement.Reference, _):
                Note($"'{from}' is a reference table and refers to '{to}', which is not on every shard. Call IsReferenceTable() on '{to}' as well, or keep the value without a relationship.");
                return;

            default:
                Note($"'{from}' lives on the default shard and refers to '{to}', which is sharded. Call IsSharded(...) on '{from}' with the key that it refers by, or keep the value without a relationship.");
                return;
        }
    }

    private void JudgeMaps()
    {
        var sharded = _model.GetEntityTypes()
            .Where(e => e.BaseType is null)
            .Select(e => (Entity: e, Placement: EntityPlacement.Of(e)))
            .Where(e => e.Placement.Placement == TablePlacement.Sharded && !e.Placement.Key.IsEmpty);
        foreach (var map in sharded.GroupBy(e => e.Placement.Map))
        {
            var kinds = map.GroupBy(e => string.Join(", ", e.Placement.Key.Cast<IProperty>().Select(p => ShardKeyColumn.TypeOf(p.GetColumnType())?.ToString() ?? p.GetColumnType()))).ToList();
            if (kinds.Count > 1)
            {
                var which = kinds.Select(k => $"({k.Key}) of {string.Join(", ", k.Select(e => $"'{e.Entity.DisplayName()}'"))}");
                Note($"The shard map '{map.Key}' has keys of different types: {string.Join("; ", which)}. Store them as one type, or give one kind another map: IsSharded(key, map: \"name\").");
            }
        }
    }

    private static string RemedyOf(IForeignKey foreignKey) =>
        EntityPlacement.IsJoinTable(foreignKey.DeclaringEntityType)
            ? "Configure the join table by UsingEntity(...) with one column for the shard key, in both its foreign keys."
            : "Add the shard key to HasForeignKey(...) and HasPrincipalKey(...).";

    // An id that tells its bucket keeps rows apart as well as the key does: all with the same one are on one shard.
    private static bool Contains(IReadOnlyList<IReadOnlyProperty> properties, ImmutableArray<IReadOnlyProperty> key) =>
        (!key.IsEmpty && key.All(k => properties.Any(p => p.Name == k.Name))) || properties.Any(ShardedIdColumn.Tells);

    private static string NamesOf(IEnumerable<IReadOnlyProperty> properties) => string.Join(", ", properties.Select(p => p.Name));

    private void Note(string fault) => _faults.Add(fault);
}
