using System.Globalization;
using EfScaling.Caching;
using EfScaling.Replication;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.DependencyInjection;

namespace EfScaling.Infrastructure;

/// <summary>Carries the settings of every capability that a context uses. Immutable.</summary>
internal sealed class EfScalingOptionsExtension : IDbContextOptionsExtension
{
    private DbContextOptionsExtensionInfo? _info;

    /// <summary>Gets the settings of <c>UseReadReplicas</c>; <see langword="null"/> when it was not called.</summary>
    public ReplicaOptions? Replicas { get; init; }

    /// <summary>Gets the settings of <c>UseQueryCache</c>; <see langword="null"/> when it was not called.</summary>
    public QueryCacheOptions? Cache { get; init; }

    /// <summary>Gets the settings of <c>UseSharding</c>; <see langword="null"/> when it was not called.</summary>
    public ShardingOptions? Sharding { get; init; }

    /// <summary>Gets the one shard that the context works on; <see langword="null"/> if it spans all of them, or there are none.</summary>
    public string? BoundShard { get; init; }

    /// <inheritdoc />
    public DbContextOptionsExtensionInfo Info => _info ??= new ExtensionInfo(this);

    /// <inheritdoc />
    public void ApplyServices(IServiceCollection services) =>
        EfScalingServices.Add(services, (AnyReplicas ?? ReplicaOptions.PrimaryAlone).TrackedReads, Cache is not null, Sharding is not null, Sharding?.Catalog is not null, Methods);

    /// <inheritdoc />
    public void Validate(IDbContextOptions options)
    {
        // Not the servers and limits: EF asks once for each internal service provider (ServiceProviderCache, EF Core 10), and options that differ only
        // in those share one. ClusterFactory judges them at the first command of each options.
        EfScalingServices.RequireNpgsql(options, Methods);
    }

    // One model and one set of services for all shards, whichever of them have replicas.
    private ReplicaOptions? AnyReplicas => Replicas ?? Sharding?.Shards.Select(s => s.Replicas).FirstOrDefault(r => r is not null);

    // What the application called, for messages.
    private string Methods => Sharding is not null ? "UseSharding" : Replicas is null ? "UseQueryCache" : "UseReadReplicas";

    private sealed class ExtensionInfo(EfScalingOptionsExtension extension) : DbContextOptionsExtensionInfo(extension)
    {
        private const int CacheBit = 1 << 8;
        private const int ShardingBit = 1 << 9;
        private const int CatalogBit = 1 << 10;

        private new EfScalingOptionsExtension Extension => (EfScalingOptionsExtension)base.Extension;

        public override bool IsDatabaseProvider => false;

        public override string LogFragment =>
            (Extension.Replicas is null ? string.Empty : "using ReadReplicas ") + (Extension.Cache is null ? string.Empty : "using QueryCache ")
            + (Extension.Sharding is null ? string.Empty : "using Sharding ");

        // Of all settings only those that shape the model or the services belong to the provider; servers, limits and times never do.
        public override int GetServiceProviderHashCode() =>
            (Extension.AnyReplicas is { } replicas ? 1 + (int)replicas.TrackedReads : 0)
            + (Extension.Cache is null ? 0 : CacheBit)
            + (Extension.Sharding is null ? 0 : ShardingBit)
            + (Extension.Sharding?.Catalog is null ? 0 : CatalogBit);

        public override bool ShouldUseSameServiceProvider(DbContextOptionsExtensionInfo other) =>
            other is ExtensionInfo info && info.GetServiceProviderHashCode() == GetServiceProviderHashCode();

        public override void PopulateDebugInfo(IDictionary<string, string> debugInfo)
        {
            var hash = GetServiceProviderHashCode().ToString(CultureInfo.InvariantCulture);
            if (Extension.Replicas is not null)
            {
                debugInfo["EfScaling:ReadReplicas"] = hash;
            }

            if (Extension.Cache is not null)
            {
                debugInfo["EfScaling:QueryCache"] = hash;
            }

            if (Extension.Sharding is not null)
            {
                debugInfo["EfScaling:Sharding"] = hash;
            }
        }
    }
}
