using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;

namespace EfScaling.Replication;

/// <summary>Whether a change to an entity that was read from a stale replica is caught by a concurrency token.</summary>
internal static class WriteProtection
{
    /// <summary>The annotation of a concurrency token that <see cref="XminConvention"/> has added.</summary>
    public const string TokenAnnotation = "EfScaling:XminToken";

    /// <summary>The system column, and the shadow property, that serves as a concurrency token.</summary>
    public const string TokenName = "xmin";

    // The name EF gives to the copies of a table's token in the other entity types of the table (TableSharingConcurrencyTokenConvention).
    private const string SharedTokenName = "_TableSharingConcurrencyTokenConvention_" + TokenName;

    /// <summary>Returns whether the property is a token that was added by convention, or EF's copy of one in another entity of its table.</summary>
    public static bool IsAddedToken(IReadOnlyProperty property) =>
        property[TokenAnnotation] is true
        || (property.Name == SharedTokenName
            && property.DeclaringType is IReadOnlyEntityType entityType
            && entityType.Model.GetEntityTypes().Any(
                other => other.GetTableName() == entityType.GetTableName()
                    && other.GetSchema() == entityType.GetSchema()
                    && other.FindProperty(TokenName)?[TokenAnnotation] is true));

    /// <summary>Returns whether every change to an entity of this type checks a concurrency token.</summary>
    public static bool Covers(IReadOnlyEntityType entityType)
    {
        if (entityType.IsMappedToJson() || IsInTableOfOwner(entityType))
        {
            return Covers(entityType.FindOwnership()!.PrincipalEntityType);
        }

        // Without a table there is nothing to overwrite: views, queries, functions.
        return entityType.GetTableName() is null && !entityType.GetDerivedTypes().Any(d => d.GetTableName() is not null)
            || (HasOneRow(entityType) && entityType.GetRootType().GetProperties().Any(ChangesWithEveryUpdate));
    }

    // A token that the application sets itself says nothing about changes that leave it alone.
    private static bool ChangesWithEveryUpdate(IReadOnlyProperty property) => property.IsConcurrencyToken && (property.ValueGenerated & ValueGenerated.OnUpdate) != 0;

    /// <summary>Returns whether the entity type is stored in rows of its owner's table.</summary>
    public static bool IsInTableOfOwner(IReadOnlyEntityType entityType) =>
        entityType.FindOwnership() is { } ownership
        && entityType.GetTableName() == ownership.PrincipalEntityType.GetTableName()
        && entityType.GetSchema() == ownership.PrincipalEntityType.GetSchema();

    /// <summary>
    /// Returns whether an entity is one row of one table. In a TPT hierarchy or a split entity a change may touch only the row without the token.
    /// </summary>
    public static bool HasOneRow(IReadOnlyEntityType entityType) =>
        entityType.GetRootType().GetMappingStrategy() != RelationalAnnotationNames.TptMappingStrategy
        && !entityType.GetMappingFragments(StoreObjectType.Table).Any();
}
