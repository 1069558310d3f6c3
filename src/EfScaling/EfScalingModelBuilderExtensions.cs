using EfScaling.Caching;
using EfScaling.Routing;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Says about entities and functions what decides where their queries may run.</summary>
public static class EfScalingModelBuilderExtensions
{
    /// <summary>Keeps every query of the entity on the primary, as for tables that replicas lack or that must never be read stale.</summary>
    /// <param name="entity">The entity type; its derived types follow it.</param>
    /// <returns>The same builder.</returns>
    public static EntityTypeBuilder IsPrimaryOnly(this EntityTypeBuilder entity)
    {
        ArgumentNullException.ThrowIfNull(entity);
        entity.Metadata.SetAnnotation(PrimaryOnlyAnnotation.Name, true);
        return entity;
    }

    /// <inheritdoc cref="IsPrimaryOnly(EntityTypeBuilder)" />
    /// <typeparam name="TEntity">The entity's type.</typeparam>
    public static EntityTypeBuilder<TEntity> IsPrimaryOnly<TEntity>(this EntityTypeBuilder<TEntity> entity)
        where TEntity : class =>
        (EntityTypeBuilder<TEntity>)IsPrimaryOnly((EntityTypeBuilder)entity);

    /// <summary>Caches every query that reads nothing but entities marked so, unless it says <c>NotCacheable()</c>.</summary>
    /// <param name="entity">The entity type; its derived types follow it.</param>
    /// <param name="timeToLive">How long results are kept at most; of several entities the shortest counts. <see langword="null"/> for the context's default.</param>
    /// <returns>The same builder.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The time is not greater than zero.</exception>
    public static EntityTypeBuilder IsCacheable(this EntityTypeBuilder entity, TimeSpan? timeToLive = null)
    {
        ArgumentNullException.ThrowIfNull(entity);
        if (timeToLive is { } time)
        {
            ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(time, TimeSpan.Zero, nameof(timeToLive));
        }

        entity.Metadata.SetAnnotation(CacheableAnnotation.Name, timeToLive ?? TimeSpan.Zero);
        return entity;
    }

    /// <inheritdoc cref="IsCacheable(EntityTypeBuilder, TimeSpan?)" />
    /// <typeparam name="TEntity">The entity's type.</typeparam>
    public static EntityTypeBuilder<TEntity> IsCacheable<TEntity>(this EntityTypeBuilder<TEntity> entity, TimeSpan? timeToLive = null)
        where TEntity : class =>
        (EntityTypeBuilder<TEntity>)IsCacheable((EntityTypeBuilder)entity, timeToLive);

    /// <summary>Declares that a database function of the application only reads (<c>STABLE</c> or <c>IMMUTABLE</c>), so that its queries may leave the primary.</summary>
    /// <param name="function">The function.</param>
    /// <returns>The same builder.</returns>
    public static DbFunctionBuilder IsStable(this DbFunctionBuilder function)
    {
        ArgumentNullException.ThrowIfNull(function);
        function.Metadata.SetAnnotation(StableFunctionAnnotation.Name, true);
        return function;
    }
}
