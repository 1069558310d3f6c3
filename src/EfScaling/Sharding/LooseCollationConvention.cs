using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using Microsoft.EntityFrameworkCore.Metadata.Conventions;

namespace EfScaling.Sharding;

/// <summary>Marks the properties whose texts may be equal to others with other bytes, from whose comparison nothing follows about a shard key.</summary>
internal sealed class LooseCollationConvention : IModelFinalizingConvention
{
    /// <inheritdoc />
    public void ProcessModelFinalizing(IConventionModelBuilder modelBuilder, IConventionContext<IConventionModelBuilder> context)
    {
        foreach (var property in modelBuilder.Metadata.GetEntityTypes().SelectMany(t => t.GetDeclaredProperties()).Where(p => !Collations.IsExact(p)))
        {
            property.SetAnnotation(Collations.LooseAnnotation, true);
        }
    }
}
