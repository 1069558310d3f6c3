using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using Microsoft.EntityFrameworkCore.Metadata.Conventions;

namespace EfScaling.Sharding;

/// <summary>Lets EF refuse to change the shard key of a saved row, which would then be on the shard of another key.</summary>
/// <remarks>EF does so by itself for primary keys; a shard key stands outside of them where <c>HasShardedId</c> makes the ids.</remarks>
internal sealed class FixedShardKeyConvention : IModelFinalizingConvention
{
    /// <inheritdoc />
    public void ProcessModelFinalizing(IConventionModelBuilder modelBuilder, IConventionContext<IConventionModelBuilder> context)
    {
        foreach (var property in modelBuilder.Metadata.GetEntityTypes().SelectMany(t => EntityPlacement.Of(t).Key).OfType<IConventionProperty>())
        {
            if (property.GetAfterSaveBehavior() == PropertySaveBehavior.Save)
            {
                property.SetAfterSaveBehavior(PropertySaveBehavior.Throw);
            }
        }
    }
}
