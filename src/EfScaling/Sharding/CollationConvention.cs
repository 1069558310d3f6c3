using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using Microsoft.EntityFrameworkCore.Metadata.Conventions;

namespace EfScaling.Sharding;

/// <summary>Keeps the collations of properties in the model that contexts use, and marks those by which texts may be equal to others with other bytes.</summary>
internal sealed class CollationConvention : IModelFinalizingConvention
{
    /// <inheritdoc />
    public void ProcessModelFinalizing(IConventionModelBuilder modelBuilder, IConventionContext<IConventionModelBuilder> context)
    {
        foreach (var property in modelBuilder.Metadata.GetEntityTypes().SelectMany(PropertiesOf))
        {
            if (Collations.CollationOf(property) is { } collation)
            {
                property.SetAnnotation(Collations.Annotation, collation);
            }

            if (!Collations.IsExact(property))
            {
                property.SetAnnotation(Collations.LooseAnnotation, true);
            }
        }
    }

    private static IEnumerable<IConventionProperty> PropertiesOf(IConventionTypeBase type) =>
        type.GetDeclaredProperties().Concat(type.GetDeclaredComplexProperties().SelectMany(c => PropertiesOf(c.ComplexType)));
}
