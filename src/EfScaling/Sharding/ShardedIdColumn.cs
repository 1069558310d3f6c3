using Microsoft.EntityFrameworkCore.Metadata;

namespace EfScaling.Sharding;

/// <summary>One column whose values tell the bucket of their row: its own id, or that of a row which it belongs to.</summary>
/// <param name="Name">The column's name.</param>
/// <param name="Property">The property that is stored in it.</param>
internal sealed record ShardedIdColumn(string Name, IProperty Property)
{
    /// <summary>The annotation of properties that <c>HasShardedId</c> was called on.</summary>
    public const string Annotation = "EfScaling:ShardedId";

    /// <summary>Returns the bucket that a value of the property tells.</summary>
    /// <param name="value">The value as the application has it.</param>
    /// <returns><see langword="null"/> for null, and for numbers that tell none.</returns>
    public int? BucketOf(object? value)
    {
        var sent = value is not null && Property.GetTypeMapping().Converter is { } converter ? converter.ConvertToProvider(value) : value;
        return sent is long id and >= 0 ? ShardedId.BucketOf(id) : null;
    }

    /// <summary>Returns whether the values of a property tell the bucket of their row.</summary>
    /// <remarks>
    /// Those of <c>HasShardedId</c> do, and so do the foreign keys that refer to them from rows of the same map: SaveChanges takes no others, and a foreign key of
    /// the database cannot refer to another shard.
    /// </remarks>
    public static bool Tells(IReadOnlyProperty property) => Tells(property, []);

    private static bool Tells(IReadOnlyProperty property, HashSet<IReadOnlyProperty> seen)
    {
        if (!seen.Add(property))
        {
            return false;
        }

        if (property[Annotation] is true)
        {
            return true;
        }

        var own = EntityPlacement.Of((IReadOnlyEntityType)property.DeclaringType.ContainingEntityType);
        return own.Placement == TablePlacement.Sharded && property.GetContainingForeignKeys().Any(f =>
            EntityPlacement.Of(f.PrincipalEntityType) is { Placement: TablePlacement.Sharded } principal
            && principal.Map == own.Map
            && Tells(PrincipalOf(f, property), seen));
    }

    private static IReadOnlyProperty PrincipalOf(IReadOnlyForeignKey foreignKey, IReadOnlyProperty property) =>
        foreignKey.PrincipalKey.Properties[foreignKey.Properties.ToList().IndexOf(property)];
}
