using System.Reflection;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using Microsoft.EntityFrameworkCore.Metadata.Conventions;
using Npgsql.EntityFrameworkCore.PostgreSQL.Metadata;

namespace EfScaling.Sharding;

/// <summary>Does what <see cref="ShardedIdAttribute"/> says.</summary>
internal sealed class ShardedIdConvention : IModelFinalizingConvention
{
    private const string GenerationAnnotation = "Npgsql:ValueGenerationStrategy";

    /// <summary>Marks a property, and keeps the provider from letting the database generate it.</summary>
    public static void Mark(IMutableProperty property)
    {
        property.SetAnnotation(ShardedIdColumn.Annotation, true);
        property.SetValueGenerationStrategy(NpgsqlValueGenerationStrategy.None);
    }

    /// <inheritdoc />
    public void ProcessModelFinalizing(IConventionModelBuilder modelBuilder, IConventionContext<IConventionModelBuilder> context)
    {
        foreach (var property in modelBuilder.Metadata.GetEntityTypes().SelectMany(t => t.GetDeclaredProperties()))
        {
            if (property.PropertyInfo?.GetCustomAttribute<ShardedIdAttribute>() is not null)
            {
                property.Builder.HasAnnotation(ShardedIdColumn.Annotation, true, fromDataAnnotation: true);
                property.Builder.HasAnnotation(GenerationAnnotation, NpgsqlValueGenerationStrategy.None, fromDataAnnotation: true);
                property.Builder.ValueGenerated(ValueGenerated.OnAdd, fromDataAnnotation: true);
                property.Builder.HasValueGeneratorFactory(typeof(ShardedIdValueGeneratorFactory), fromDataAnnotation: true);
            }
        }
    }
}
