using EfScaling.Caching;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>Plays the store of a process that dies between its commits and their publication: it announces, and then nothing is heard of it.</summary>
internal sealed class DyingCacheStore(ICacheStore inner) : ForwardingCacheStore(inner)
{
    /// <summary>Whether it is dead.</summary>
    public bool IsDead { get; set; }

    public override CacheAnswer Bump(IReadOnlyList<string> versions, CacheIntent? intent) => IsDead ? CacheAnswer.Done : base.Bump(versions, intent);

    public override ValueTask<CacheAnswer> BumpAsync(IReadOnlyList<string> versions, CacheIntent? intent, CancellationToken cancellationToken) =>
        IsDead ? new(CacheAnswer.Done) : base.BumpAsync(versions, intent, cancellationToken);

    public override ValueTask<int> RecoverAsync(string log, CancellationToken cancellationToken) => IsDead ? new(0) : base.RecoverAsync(log, cancellationToken);
}
