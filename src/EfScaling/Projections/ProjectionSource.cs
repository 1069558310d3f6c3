using Microsoft.EntityFrameworkCore;

namespace EfScaling.Projections;

/// <summary>An entity whose changes change views.</summary>
/// <param name="entityType">The entity's CLR type; derived types follow it.</param>
/// <param name="property">The property whose value tells which views, before and after the change.</param>
/// <param name="name">How the outbox knows the source; empty when the property holds the key of the view itself.</param>
internal abstract class ProjectionSource(Type entityType, string property, string name)
{
    /// <summary>The name of sources whose property holds the key of the view.</summary>
    public const string Direct = "";

    /// <summary>Gets the entity's CLR type.</summary>
    public Type EntityType { get; } = entityType;

    /// <summary>Gets the name of the property that tells which views.</summary>
    public string Property { get; } = property;

    /// <summary>Gets how the outbox knows the source.</summary>
    public string Name { get; } = name;

    /// <summary>Returns the keys of all views that this source knows of; <see langword="null"/> if other sources know them.</summary>
    public abstract KeyPages? AllKeys();

    /// <summary>Returns the keys of the views that a changed value of the property affects.</summary>
    public abstract Task<IReadOnlyList<string>> AffectedAsync(DbContext context, string value, CancellationToken cancellationToken);
}
