// The provider's options have no public name (npgsql/efcore.pg#3063).
#pragma warning disable EF1001

using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure.Internal;

namespace EfScaling.Infrastructure;

/// <summary>Makes options of a sharded context lead to one shard.</summary>
internal static class ShardBinding
{
    /// <summary>Returns the options with the connection and the replicas of a shard.</summary>
    /// <param name="options">Options on which <c>UseSharding</c> was called.</param>
    /// <param name="shard">The name of the shard that the context works on alone; <see langword="null"/> for a context that spans all of them.</param>
    /// <exception cref="ArgumentException">There is no such shard.</exception>
    public static DbContextOptions Bind(DbContextOptions options, string? shard)
    {
        var extension = options.FindExtension<EfScalingOptionsExtension>()!;
        var sharding = extension.Sharding!;
        var target = shard is null
            ? sharding.Default
            : sharding.Find(shard) ?? throw new ArgumentException(
                $"There is no shard '{shard}'; the shards are {string.Join(", ", sharding.Shards.Select(s => $"'{s.Name}'"))}. Add it by AddShard(...) in UseSharding, or correct the name.", nameof(shard));
        var provider = target.ProviderFrom(options.FindExtension<NpgsqlOptionsExtension>()!);
        return options.WithExtension(provider).WithExtension(new EfScalingOptionsExtension
        {
            Replicas = target.Replicas,
            Cache = extension.Cache,
            Sharding = sharding,
            BoundShard = shard,
        });
    }

    /// <summary>Makes options that are being built lead to a shard.</summary>
    /// <inheritdoc cref="Bind" path="/param"/>
    public static void Apply(DbContextOptionsBuilder options, string? shard)
    {
        var bound = Bind(options.Options, shard);
        var builder = (IDbContextOptionsBuilderInfrastructure)options;
        builder.AddOrUpdateExtension(bound.FindExtension<EfScalingOptionsExtension>()!);
        builder.AddOrUpdateExtension(bound.FindExtension<NpgsqlOptionsExtension>()!);
    }
}
