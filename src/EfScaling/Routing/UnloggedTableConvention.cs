using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using Microsoft.EntityFrameworkCore.Metadata.Conventions;

namespace EfScaling.Routing;

/// <summary>Marks entities in unlogged tables, which standbys cannot read, while the model still tells them: EF drops the fact at run time.</summary>
internal sealed class UnloggedTableConvention : IModelFinalizingConvention
{
    /// <inheritdoc />
    public void ProcessModelFinalizing(IConventionModelBuilder modelBuilder, IConventionContext<IConventionModelBuilder> context)
    {
        foreach (var entityType in modelBuilder.Metadata.GetEntityTypes().Where(t => t.GetIsUnlogged()))
        {
            entityType.SetAnnotation(PrimaryOnlyAnnotation.Name, true);
        }
    }
}
