using Microsoft.EntityFrameworkCore.Infrastructure;

namespace EfScaling.Routing.Schema;

/// <summary>The options of a context without its seeding, which is done once for all shards.</summary>
internal sealed class UnseededOptions(IDbContextOptions inner) : IDbContextOptions
{
    /// <inheritdoc />
    public IEnumerable<IDbContextOptionsExtension> Extensions => inner.Extensions.Select(Unseeded);

    /// <inheritdoc />
    public TExtension? FindExtension<TExtension>()
        where TExtension : class, IDbContextOptionsExtension =>
        inner.FindExtension<TExtension>() is { } extension ? (TExtension)Unseeded(extension) : null;

    private static IDbContextOptionsExtension Unseeded(IDbContextOptionsExtension extension) =>
        extension is CoreOptionsExtension core ? core.WithSeeding(null!).WithAsyncSeeding(null!) : extension;
}
