using EfScaling.Replication;
using EfScaling.Routing;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Conventions;
using Microsoft.EntityFrameworkCore.Metadata.Conventions.Infrastructure;

namespace EfScaling.Infrastructure;

/// <summary>Adds the conventions of the capabilities that a context uses.</summary>
internal sealed class EfScalingConventionPlugin(TrackedReads trackedReads, bool isSharded) : IConventionSetPlugin
{
    /// <inheritdoc />
    public ConventionSet ModifyConventions(ConventionSet conventionSet)
    {
        conventionSet.ModelFinalizingConventions.Add(new UnloggedTableConvention());

        // The tools that write migrations and snapshots must see the model as if EfScaling were not there.
        if (trackedReads == TrackedReads.ReplicaWhenProtected && !EF.IsDesignTime)
        {
            // Ahead of EF's convention that copies the tokens of a table to the other entity types in it.
            conventionSet.ModelFinalizingConventions.Insert(0, new XminConvention(e => isSharded && EntityPlacement.Of(e).Placement == TablePlacement.Reference));
        }

        if (isSharded)
        {
            conventionSet.ModelFinalizingConventions.Insert(0, new ShardedIdConvention());
            conventionSet.ModelFinalizingConventions.Add(new FixedShardKeyConvention());
            if (!EF.IsDesignTime)
            {
                conventionSet.ModelFinalizingConventions.Add(new CollationConvention());
            }

            // Ahead of EF's convention that makes the model that contexts use, which knows less.
            conventionSet.ModelFinalizedConventions.Insert(0, new ShardedModelConvention());
        }

        return conventionSet;
    }
}
