using System.Linq.Expressions;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Says about entities where their rows live in a sharded database.</summary>
/// <remarks>The model is the same for all shards. What cannot work is refused, with all its faults, when the model is first used with <c>UseSharding</c>.</remarks>
public static class ShardingModelBuilderExtensions
{
    /// <summary>Puts each row on the shard that the value of its key belongs to. Entities with keys of the same types share their shards.</summary>
    /// <param name="entity">The root of the entity's hierarchy.</param>
    /// <param name="key">The property, or several: <c>x => x.TenantId</c>, <c>x => new { x.Region, x.TenantId }</c>. All are part of the primary key.</param>
    /// <param name="map">The name of the shard map, for keys that are spread in another way than the rest; <see langword="null"/> for the one without a name.</param>
    /// <returns>The same builder.</returns>
    /// <typeparam name="TEntity">The entity's type.</typeparam>
    /// <exception cref="ArgumentException"><paramref name="key"/> names no property.</exception>
    public static EntityTypeBuilder<TEntity> IsSharded<TEntity>(this EntityTypeBuilder<TEntity> entity, Expression<Func<TEntity, object?>> key, string? map = null)
        where TEntity : class
    {
        ArgumentNullException.ThrowIfNull(entity);
        ArgumentNullException.ThrowIfNull(key);
        return (EntityTypeBuilder<TEntity>)IsSharded(entity, map, [.. PropertiesOf(key.Body).Select(p => p.Member.Name)]);
    }

    /// <summary>Puts each row on the shard that the value of its key belongs to. Entities with keys of the same types share their shards.</summary>
    /// <param name="entity">The root of the entity's hierarchy.</param>
    /// <param name="map">The name of the shard map; <see langword="null"/> for the one without a name.</param>
    /// <param name="properties">The names of the key's properties, in their order; they may be shadow properties. All are part of the primary key.</param>
    /// <returns>The same builder.</returns>
    /// <exception cref="ArgumentException">No property is named.</exception>
    public static EntityTypeBuilder IsSharded(this EntityTypeBuilder entity, string? map, params string[] properties)
    {
        ArgumentNullException.ThrowIfNull(entity);
        ArgumentNullException.ThrowIfNull(properties);
        if (properties.Length == 0 || Array.Exists(properties, string.IsNullOrWhiteSpace))
        {
            throw new ArgumentException($"IsSharded was called for '{entity.Metadata.DisplayName()}' without a property. Name the shard key: IsSharded(x => x.TenantId).", nameof(properties));
        }

        entity.Metadata.SetAnnotation(EntityPlacement.PlacementAnnotation, TablePlacement.Sharded);
        entity.Metadata.SetAnnotation(EntityPlacement.KeyAnnotation, string.Join(',', properties));
        entity.Metadata.SetAnnotation(EntityPlacement.MapAnnotation, map);
        return entity;
    }

    /// <summary>Keeps a copy of the table on every shard, so that it can be joined with any other. For data that is small and seldom written.</summary>
    /// <param name="entity">The root of the entity's hierarchy.</param>
    /// <returns>The same builder.</returns>
    public static EntityTypeBuilder IsReferenceTable(this EntityTypeBuilder entity) => Place(entity, TablePlacement.Reference);

    /// <inheritdoc cref="IsReferenceTable(EntityTypeBuilder)" />
    /// <typeparam name="TEntity">The entity's type.</typeparam>
    public static EntityTypeBuilder<TEntity> IsReferenceTable<TEntity>(this EntityTypeBuilder<TEntity> entity)
        where TEntity : class =>
        (EntityTypeBuilder<TEntity>)IsReferenceTable((EntityTypeBuilder)entity);

    /// <summary>Keeps the table on the default shard alone, which also holds for entities that say nothing.</summary>
    /// <param name="entity">The root of the entity's hierarchy.</param>
    /// <returns>The same builder.</returns>
    public static EntityTypeBuilder OnDefaultShard(this EntityTypeBuilder entity) => Place(entity, TablePlacement.DefaultShard);

    /// <inheritdoc cref="OnDefaultShard(EntityTypeBuilder)" />
    /// <typeparam name="TEntity">The entity's type.</typeparam>
    public static EntityTypeBuilder<TEntity> OnDefaultShard<TEntity>(this EntityTypeBuilder<TEntity> entity)
        where TEntity : class =>
        (EntityTypeBuilder<TEntity>)OnDefaultShard((EntityTypeBuilder)entity);

    /// <summary>Lets the client generate the ids of a property, each with the bucket of its row's shard key, so that a row is found by its id alone.</summary>
    /// <param name="property">A property of type <see cref="long"/>, or of one that is stored so. It may be the whole primary key.</param>
    /// <returns>The same builder.</returns>
    /// <remarks>
    /// The shard key must be set when the entity is added. <see cref="ShardedId"/> tells the layout of ids. Each process has a generator's number of its own, which it reserves on the
    /// default shard when it makes its first id, unless <c>GeneratorNumber(...)</c> gives it one.
    /// </remarks>
    public static PropertyBuilder HasShardedId(this PropertyBuilder property)
    {
        ArgumentNullException.ThrowIfNull(property);
        ShardedIdConvention.Mark(property.Metadata);
        return property.ValueGeneratedOnAdd().HasValueGeneratorFactory<ShardedIdValueGeneratorFactory>();
    }

    /// <inheritdoc cref="HasShardedId(PropertyBuilder)" />
    /// <typeparam name="TProperty">The property's type.</typeparam>
    public static PropertyBuilder<TProperty> HasShardedId<TProperty>(this PropertyBuilder<TProperty> property) => (PropertyBuilder<TProperty>)HasShardedId((PropertyBuilder)property);

    private static EntityTypeBuilder Place(EntityTypeBuilder entity, TablePlacement placement)
    {
        ArgumentNullException.ThrowIfNull(entity);
        entity.Metadata.SetAnnotation(EntityPlacement.PlacementAnnotation, placement);
        return entity;
    }

    private static IEnumerable<MemberExpression> PropertiesOf(Expression body) => body switch
    {
        UnaryExpression { NodeType: ExpressionType.Convert } boxed => PropertiesOf(boxed.Operand),
        NewExpression several => several.Arguments.SelectMany(PropertiesOf),
        MemberExpression { Expression: ParameterExpression } property => [property],
        _ => throw new ArgumentException($"IsSharded was given '{body}', which is no property. Name properties of the entity: IsSharded(x => x.TenantId).", nameof(body)),
    };
}
