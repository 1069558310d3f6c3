using EfScaling.Projections;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.DependencyInjection;

namespace EfScaling.Infrastructure;

/// <summary>Tells contexts of their projections. Immutable.</summary>
/// <remarks>
/// Not part of <see cref="EfScalingOptionsExtension"/>: <c>AddProjection</c> may be called before the options of the context are, and EF applies extensions in
/// the order in which they were first added, where that one must come behind the provider.
/// </remarks>
internal sealed class ProjectionOptionsExtension(ProjectionSet projections) : IDbContextOptionsExtension
{
    private DbContextOptionsExtensionInfo? _info;

    /// <summary>Gets the projections of the context.</summary>
    public ProjectionSet Projections => projections;

    /// <inheritdoc />
    public DbContextOptionsExtensionInfo Info => _info ??= new ExtensionInfo(this);

    /// <inheritdoc />
    public void ApplyServices(IServiceCollection services) => ProjectionServices.Add(services);

    /// <inheritdoc />
    public void Validate(IDbContextOptions options)
    {
        // The sources are checked against the model when they are first used; the options do not know it.
    }

    private sealed class ExtensionInfo(IDbContextOptionsExtension extension) : DbContextOptionsExtensionInfo(extension)
    {
        public override bool IsDatabaseProvider => false;

        public override string LogFragment => "using Projections ";

        // The services find the projections through the context, so contexts with others may share them.
        public override int GetServiceProviderHashCode() => 0;

        public override bool ShouldUseSameServiceProvider(DbContextOptionsExtensionInfo other) => other is ExtensionInfo;

        public override void PopulateDebugInfo(IDictionary<string, string> debugInfo) => debugInfo["EfScaling:Projections"] = "1";
    }
}
