using EfScaling.Caching;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>A store that throws, as none may, when it is told of a write.</summary>
internal sealed class ThrowingCacheStore(ICacheStore inner) : ForwardingCacheStore(inner)
{
    /// <summary>Whether it throws.</summary>
    public bool IsBroken { get; set; }

    public override CacheAnswer Bump(IReadOnlyList<string> versions, CacheIntent? intent) => IsBroken ? throw new TimeoutException("broken") : base.Bump(versions, intent);

    public override ValueTask<CacheAnswer> BumpAsync(IReadOnlyList<string> versions, CacheIntent? intent, CancellationToken cancellationToken) =>
        IsBroken ? throw new TimeoutException("broken") : base.BumpAsync(versions, intent, cancellationToken);
}
