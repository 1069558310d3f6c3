using Microsoft.EntityFrameworkCore;

namespace EfScaling.Routing.Shards;

/// <summary>Runs something on each shard that a context works on, on a context of its own that is bound to the shard.</summary>
/// <param name="shards">The names of the shards, in the order in which they were added.</param>
/// <param name="create">Creates the context of a shard; thread-safe.</param>
/// <remarks>A shard that fails keeps none of the others from being worked on. Thread-safe.</remarks>
internal sealed class ShardWork(IReadOnlyList<string> shards, Func<string, DbContext> create)
{
    /// <summary>How many shards are worked on at once unless told otherwise.</summary>
    public const int DefaultParallel = 4;

    /// <summary>Gets the names of the shards.</summary>
    public IReadOnlyList<string> Shards => shards;

    /// <summary>Returns the values of all shards.</summary>
    /// <param name="attempted">What was attempted, for the message.</param>
    /// <param name="results">What became of each shard.</param>
    /// <exception cref="ShardsFailedException">Some failed.</exception>
    public static IReadOnlyList<T> Values<T>(string attempted, IReadOnlyList<ShardResult<T>> results)
    {
        var failures = results.Where(r => !r.IsDone).Select(r => (r.Shard, r.Failure!)).ToList();
        return failures.Count == 0 ? [.. results.Select(r => r.Value!)] : throw new ShardsFailedException(attempted, failures, results.Count);
    }

    /// <summary>Runs something on every shard.</summary>
    /// <param name="work">What to run.</param>
    /// <param name="maxParallel">How many shards are worked on at once; at least 1.</param>
    /// <param name="progress">Told of each shard; <see langword="null"/> if nobody asks.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <returns>What became of each shard, in their order.</returns>
    /// <exception cref="OperationCanceledException">The work was cancelled.</exception>
    public async Task<IReadOnlyList<ShardResult<T>>> RunAsync<T>(
        Func<DbContext, CancellationToken, Task<T>> work, int maxParallel, IProgress<ShardProgress>? progress, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxParallel, 1);
        var results = new ShardResult<T>[shards.Count];
        var ended = 0;
        await Parallel.ForAsync(
            0,
            shards.Count,
            new ParallelOptions { MaxDegreeOfParallelism = maxParallel, CancellationToken = cancellationToken },
            async (i, token) =>
            {
                progress?.Report(new ShardProgress(shards[i], ShardStep.Started, null, Volatile.Read(ref ended), shards.Count));
                results[i] = await RunAsync(shards[i], work, token).ConfigureAwait(false);
                Report(progress, results[i].Shard, results[i].Failure, Interlocked.Increment(ref ended));
            }).ConfigureAwait(false);
        return results;
    }

    /// <inheritdoc cref="RunAsync{T}(Func{DbContext, CancellationToken, Task{T}}, int, IProgress{ShardProgress}?, CancellationToken)" />
    public IReadOnlyList<ShardResult<T>> Run<T>(Func<DbContext, T> work)
    {
        var results = new ShardResult<T>[shards.Count];
        Parallel.For(0, shards.Count, new ParallelOptions { MaxDegreeOfParallelism = DefaultParallel }, i => results[i] = Run(shards[i], work));
        return results;
    }

    private void Report(IProgress<ShardProgress>? progress, string shard, Exception? failure, int ended) =>
        progress?.Report(new ShardProgress(shard, failure is null ? ShardStep.Done : ShardStep.Failed, failure, ended, shards.Count));

    // What fails on one shard is part of the answer.
#pragma warning disable CA1031
    private async Task<ShardResult<T>> RunAsync<T>(string shard, Func<DbContext, CancellationToken, Task<T>> work, CancellationToken cancellationToken)
    {
        try
        {
            var context = create(shard);
            await using (context.ConfigureAwait(false))
            {
                return new ShardResult<T>(shard, await work(context, cancellationToken).ConfigureAwait(false), null);
            }
        }
        catch (Exception failure) when (!cancellationToken.IsCancellationRequested)
        {
            return new ShardResult<T>(shard, default, failure);
        }
    }

    private ShardResult<T> Run<T>(string shard, Func<DbContext, T> work)
    {
        try
        {
            using var context = create(shard);
            return new ShardResult<T>(shard, work(context), null);
        }
        catch (Exception failure)
        {
            return new ShardResult<T>(shard, default, failure);
        }
    }
#pragma warning restore CA1031
}
