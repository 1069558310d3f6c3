using System.Collections.Immutable;
using System.Reflection;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;

namespace EfScaling.Sharding;

/// <summary>Where the rows of one entity type live, and by which properties.</summary>
/// <param name="Placement">Where.</param>
/// <param name="Map">The shard map that the key is looked up in; empty for the one without a name.</param>
/// <param name="Key">The properties of the key in their order; empty if the entity is not sharded.</param>
internal sealed record EntityPlacement(TablePlacement Placement, string Map, ImmutableArray<IReadOnlyProperty> Key)
{
    /// <summary>The annotation that names the placement.</summary>
    public const string PlacementAnnotation = "EfScaling:Placement";

    /// <summary>The annotation that names the properties of the key.</summary>
    public const string KeyAnnotation = "EfScaling:ShardKey";

    /// <summary>The annotation that names the map.</summary>
    public const string MapAnnotation = "EfScaling:ShardMap";

    private static readonly EntityPlacement _onDefaultShard = new(TablePlacement.DefaultShard, string.Empty, []);
    private static readonly EntityPlacement _reference = new(TablePlacement.Reference, string.Empty, []);

    /// <summary>Returns where the rows of an entity type live.</summary>
    /// <remarks>
    /// Derived types follow their root, and owned types their owner. A join table of a many-to-many relationship that says nothing follows the sides: it is
    /// sharded if one of them is, by the columns that lead there.
    /// </remarks>
    public static EntityPlacement Of(IReadOnlyEntityType entityType)
    {
        var root = entityType.GetRootType();
        if (Declared(root) is { } declared)
        {
            return declared;
        }

        if (root.FindOwnership() is { } ownership)
        {
            return Of(ownership.PrincipalEntityType).Through(ownership);
        }

        if (IsJoinTable(root))
        {
            var sides = root.GetForeignKeys().Select(f => (ForeignKey: f, Placement: Of(f.PrincipalEntityType))).ToList();
            return sides.Find(s => s.Placement.Placement == TablePlacement.Sharded) is { ForeignKey: { } foreignKey } sharded ? sharded.Placement.Through(foreignKey)
                : sides.TrueForAll(s => s.Placement.Placement == TablePlacement.Reference) && sides.Count > 0 ? _reference
                : _onDefaultShard;
        }

        return _onDefaultShard;
    }

    /// <summary>Returns whether an entity type is the join table of a many-to-many relationship.</summary>
    public static bool IsJoinTable(IReadOnlyEntityType entityType) => entityType.GetForeignKeys().Any(f => f.GetReferencingSkipNavigations().Any());

    /// <summary>Returns the placement that rows have which refer to those with this one: by the properties that hold the same values.</summary>
    /// <remarks>Not a part of them: what refers by an id that tells the bucket has no key of its own.</remarks>
    private EntityPlacement Through(IReadOnlyForeignKey foreignKey)
    {
        var places = Key.Select(p => foreignKey.PrincipalKey.Properties.ToList().IndexOf(p)).ToList();
        return this with { Key = places.Contains(-1) ? [] : [.. places.Select(i => foreignKey.Properties[i])] };
    }

    private static EntityPlacement? Declared(IReadOnlyEntityType root) =>
        root[PlacementAnnotation] switch
        {
            TablePlacement.Sharded => new EntityPlacement(
                TablePlacement.Sharded,
                (string?)root[MapAnnotation] ?? string.Empty,
                [.. ((string)root[KeyAnnotation]!).Split(',').Select(root.FindProperty).OfType<IReadOnlyProperty>()]),
            TablePlacement.Reference => _reference,
            TablePlacement.DefaultShard => _onDefaultShard,
            _ => ByAttributes(root),
        };

    private static EntityPlacement? ByAttributes(IReadOnlyEntityType root)
    {
        var key = root.GetProperties()
            .Select(p => (Property: p, Mark: p.PropertyInfo?.GetCustomAttribute<ShardKeyAttribute>()))
            .Where(p => p.Mark is not null)
            .OrderBy(p => p.Mark!.Order)
            .ToList();
        return key.Count > 0 ? new EntityPlacement(TablePlacement.Sharded, key[0].Mark!.Map ?? string.Empty, [.. key.Select(p => p.Property)])
            : root.ClrType.IsDefined(typeof(ReferenceTableAttribute), inherit: true) ? _reference
            : root.ClrType.IsDefined(typeof(DefaultShardAttribute), inherit: true) ? _onDefaultShard
            : null;
    }
}
