using System.Runtime.ExceptionServices;
using EfScaling.Sharding;

namespace EfScaling.Routing.Shards;

/// <summary>The routers of one context to its shards, each with a connection of its own that is made when it is first needed.</summary>
/// <param name="database">The shards.</param>
/// <param name="own">The shard that the context's own connection leads to.</param>
/// <param name="home">The router of that connection.</param>
/// <param name="connect">Makes the router of another shard.</param>
/// <remarks>
/// Not thread-safe, like the context. A pooled context keeps them, closed, for its next lease. All that a lease has used are made ready, even if one fails; the same holds for all when they are
/// disposed.
/// </remarks>
internal sealed class ShardRouters(ShardedDatabase database, string own, ReadRouter home, Func<ShardDefinition, ReadRouter> connect) : IDisposable, IAsyncDisposable
{
    private readonly Dictionary<string, ReadRouter> _byShard = new(StringComparer.Ordinal);

    // Those that something has asked for since the context was lent. The others are as they were made ready.
    private readonly HashSet<ReadRouter> _used = [];

    /// <summary>Gets whether no connection to another shard is open.</summary>
    public bool IsIdle
    {
        get
        {
            foreach (var router in _used)
            {
                if (!router.IsIdle)
                {
                    return false;
                }
            }

            return true;
        }
    }

    /// <summary>Returns the router of a shard.</summary>
    public ReadRouter To(string shard)
    {
        if (shard == own)
        {
            return home;
        }

        if (!_byShard.TryGetValue(shard, out var router))
        {
            _byShard[shard] = router = connect(database.Options.Find(shard)!);
        }

        _used.Add(router);
        return router;
    }

    /// <summary>Makes ready for the next lease.</summary>
    public void Reset()
    {
        try
        {
            ForEachUsed(static r => r.ResetState());
        }
        finally
        {
            _used.Clear();
        }
    }

    /// <inheritdoc cref="Reset" />
    public async Task ResetAsync(CancellationToken cancellationToken)
    {
        try
        {
            await ForEachUsedAsync(r => r.ResetStateAsync(cancellationToken)).ConfigureAwait(false);
        }
        finally
        {
            _used.Clear();
        }
    }

    /// <inheritdoc />
    public void Dispose()
    {
        _used.UnionWith(_byShard.Values);
        ForEachUsed(static r => r.Dispose());
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        _used.UnionWith(_byShard.Values);
        await ForEachUsedAsync(static r => r.DisposeAsync().AsTask()).ConfigureAwait(false);
    }

    // One that fails must not keep the connections of the others from being given back.
#pragma warning disable CA1031
    private void ForEachUsed(Action<ReadRouter> end)
    {
        List<Exception>? failures = null;
        foreach (var router in _used)
        {
            try
            {
                end(router);
            }
            catch (Exception failure)
            {
                (failures ??= []).Add(failure);
            }
        }

        ThrowIfAny(failures);
    }

    private async Task ForEachUsedAsync(Func<ReadRouter, Task> end)
    {
        List<Exception>? failures = null;
        foreach (var router in _used)
        {
            try
            {
                await end(router).ConfigureAwait(false);
            }
            catch (Exception failure)
            {
                (failures ??= []).Add(failure);
            }
        }

        ThrowIfAny(failures);
    }
#pragma warning restore CA1031

    private static void ThrowIfAny(List<Exception>? failures)
    {
        switch (failures)
        {
            case null:
                return;
            case [var failure]:
                ExceptionDispatchInfo.Throw(failure);
                return;
            default:
                throw new AggregateException("Several connections to shards could not be given back. See the inner exceptions.", failures);
        }
    }
}
