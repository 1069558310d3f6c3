// Semaphores whose handle nobody asks for hold nothing to give back.
#pragma warning disable CA1001

using System.Collections.Concurrent;

namespace EfScaling.Sharding;

/// <summary>Bounds how many parts of queries over several shards begin at the same time, on each shard and on all.</summary>
/// <remarks>A turn ends when the shard has begun to answer, so that nobody who reads slowly, or asks again meanwhile, keeps others waiting. Thread-safe.</remarks>
internal sealed class ScatterGate(ScatterBudget budget)
{
    private readonly SemaphoreSlim _all = new(budget.MaxConcurrency);
    private readonly ConcurrentDictionary<string, SemaphoreSlim> _shards = new(StringComparer.Ordinal);

    /// <summary>Waits for a turn.</summary>
    public Turn Enter(string shard)
    {
        var own = SemaphoreOf(shard);
        own.Wait();
        try
        {
            _all.Wait();
        }
        catch
        {
            own.Release();
            throw;
        }

        return new Turn(own, _all);
    }

    /// <inheritdoc cref="Enter" />
    public async ValueTask<Turn> EnterAsync(string shard, CancellationToken cancellationToken)
    {
        var own = SemaphoreOf(shard);
        await own.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await _all.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            own.Release();
            throw;
        }

        return new Turn(own, _all);
    }

    private SemaphoreSlim SemaphoreOf(string shard) => _shards.GetOrAdd(shard, static (_, most) => new SemaphoreSlim(most), budget.MaxConcurrencyPerShard);

    /// <summary>A turn, which ends when it is disposed.</summary>
    public readonly struct Turn(SemaphoreSlim own, SemaphoreSlim all) : IDisposable
    {
        /// <inheritdoc />
        public void Dispose()
        {
            all.Release();
            own.Release();
        }
    }
}
