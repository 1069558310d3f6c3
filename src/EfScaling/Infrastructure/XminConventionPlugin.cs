using EfScaling.Replication;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Metadata.Conventions;
using Microsoft.EntityFrameworkCore.Metadata.Conventions.Infrastructure;

namespace EfScaling.Infrastructure;

/// <summary>Adds <see cref="XminConvention"/> to the conventions of contexts whose tracked reads may be served by replicas.</summary>
internal sealed class XminConventionPlugin(IDbContextOptions contextOptions) : IConventionSetPlugin
{
    /// <inheritdoc />
    public ConventionSet ModifyConventions(ConventionSet conventionSet)
    {
        // The tools that write migrations and snapshots must see the model as if EfScaling were not there.
        var trackedReads = contextOptions.FindExtension<EfScalingOptionsExtension>()?.Replicas?.TrackedReads;
        if (trackedReads == TrackedReads.ReplicaWhenProtected && !EF.IsDesignTime)
        {
            // Ahead of EF's convention that copies the tokens of a table to the other entity types in it.
            conventionSet.ModelFinalizingConventions.Insert(0, new XminConvention());
        }

        return conventionSet;
    }
}
