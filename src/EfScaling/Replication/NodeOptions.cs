using Microsoft.EntityFrameworkCore.Infrastructure;

namespace EfScaling.Replication;

/// <summary>The options that connections to nodes are built with: the provider's settings, and no connection of the context's own.</summary>
/// <remarks>EF looks through all extensions of a context for each connection it builds, and would take the application's connection for the node's.</remarks>
internal sealed class NodeOptions(RelationalOptionsExtension provider) : IDbContextOptions
{
    private readonly IDbContextOptionsExtension[] _extensions = [provider];

    /// <inheritdoc />
    public IEnumerable<IDbContextOptionsExtension> Extensions => _extensions;

    /// <inheritdoc />
    public TExtension? FindExtension<TExtension>()
        where TExtension : class, IDbContextOptionsExtension =>
        provider as TExtension;
}
