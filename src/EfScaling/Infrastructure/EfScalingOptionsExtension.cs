using System.Globalization;
using EfScaling.Replication;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.DependencyInjection;

namespace EfScaling.Infrastructure;

/// <summary>Carries the settings of every capability that a context uses. Immutable.</summary>
internal sealed class EfScalingOptionsExtension : IDbContextOptionsExtension
{
    private DbContextOptionsExtensionInfo? _info;

    /// <summary>Gets the settings of <c>UseReadReplicas</c>; <see langword="null"/> when it was not called.</summary>
    public ReplicaOptions? Replicas { get; init; }

    /// <inheritdoc />
    public DbContextOptionsExtensionInfo Info => _info ??= new ExtensionInfo(this);

    /// <inheritdoc />
    public void ApplyServices(IServiceCollection services) => EfScalingServices.Add(services, Replicas?.TrackedReads ?? TrackedReads.Primary);

    /// <inheritdoc />
    public void Validate(IDbContextOptions options)
    {
        // Not the servers and limits: EF asks once for each internal service provider (ServiceProviderCache, EF Core 10), and options that differ only
        // in those share one. ClusterFactory judges them at the first command of each options.
        if (Replicas is not null)
        {
            EfScalingServices.RequireNpgsql(options);
        }
    }

    private sealed class ExtensionInfo(EfScalingOptionsExtension extension) : DbContextOptionsExtensionInfo(extension)
    {
        private new EfScalingOptionsExtension Extension => (EfScalingOptionsExtension)base.Extension;

        public override bool IsDatabaseProvider => false;

        public override string LogFragment => Extension.Replicas is null ? string.Empty : "using ReadReplicas ";

        // Of all settings only the one that shapes the model belongs to the provider; servers, limits and times never do.
        public override int GetServiceProviderHashCode() => Extension.Replicas is { } replicas ? 1 + (int)replicas.TrackedReads : 0;

        public override bool ShouldUseSameServiceProvider(DbContextOptionsExtensionInfo other) =>
            other is ExtensionInfo info && info.GetServiceProviderHashCode() == GetServiceProviderHashCode();

        public override void PopulateDebugInfo(IDictionary<string, string> debugInfo) =>
            debugInfo["EfScaling:ReadReplicas"] = GetServiceProviderHashCode().ToString(CultureInfo.InvariantCulture);
    }
}
