using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.ValueGeneration;

namespace EfScaling.Sharding;

/// <summary>Makes what generates the ids of a property with <c>HasShardedId</c>.</summary>
internal sealed class ShardedIdValueGeneratorFactory : ValueGeneratorFactory
{
    /// <inheritdoc />
    public override ValueGenerator Create(IProperty property, ITypeBase typeBase) => new ShardedIdValueGenerator(property);
}
