using Microsoft.EntityFrameworkCore.Metadata;

namespace EfScaling.Routing;

/// <summary>The mark of an entity type whose table is read on the primary only.</summary>
internal static class PrimaryOnlyAnnotation
{
    /// <summary>The annotation's name.</summary>
    public const string Name = "EfScaling:PrimaryOnly";

    /// <summary>Returns whether the entity type or one of its base types carries the mark.</summary>
    public static bool IsSet(IReadOnlyEntityType entityType) => entityType.GetAllBaseTypesInclusive().Any(t => t[Name] is true);
}
