using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Metadata.Conventions;

namespace EfScaling.Sharding;

/// <summary>Refuses a model that cannot be sharded as it says, when it is complete and before it is first used.</summary>
internal sealed class ShardedModelConvention : IModelFinalizedConvention
{
    /// <inheritdoc />
    public IModel ProcessModelFinalized(IModel model)
    {
        PlacementFaults.Refuse(model);
        return model;
    }
}
