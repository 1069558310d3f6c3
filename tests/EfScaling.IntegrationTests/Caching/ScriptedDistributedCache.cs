using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Options;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>A distributed cache that fails or hangs when told to.</summary>
internal sealed class ScriptedDistributedCache : IDistributedCache, IDisposable
{
    private MemoryDistributedCache _inner = Empty();
    private TaskCompletionSource? _hang;
    private int _calls;

    /// <summary>Thrown by every call while set.</summary>
    public Exception? Failure { get; set; }

    /// <summary>Whether a hanging call ends when its token is cancelled.</summary>
    public bool HeedsTokens { get; set; } = true;

    public int Calls => Volatile.Read(ref _calls);

    public void Lose() => _inner = Empty();

    public void Hang() => _hang = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    public void GoOn()
    {
        var hang = _hang;
        _hang = null;
        hang?.SetResult();
    }

    public byte[]? Get(string key)
    {
        Enter();
        return _inner.Get(key);
    }

    public async Task<byte[]?> GetAsync(string key, CancellationToken token = default)
    {
        await EnterAsync(token);
        return await _inner.GetAsync(key, CancellationToken.None);
    }

    public void Set(string key, byte[] value, DistributedCacheEntryOptions options)
    {
        Enter();
        _inner.Set(key, value, options);
    }

    public async Task SetAsync(string key, byte[] value, DistributedCacheEntryOptions options, CancellationToken token = default)
    {
        await EnterAsync(token);
        await _inner.SetAsync(key, value, options, CancellationToken.None);
    }

    public void Refresh(string key) => throw new NotSupportedException();

    public Task RefreshAsync(string key, CancellationToken token = default) => throw new NotSupportedException();

    public void Remove(string key) => throw new NotSupportedException();

    public Task RemoveAsync(string key, CancellationToken token = default) => throw new NotSupportedException();

    public void Dispose() => GoOn();

    private static MemoryDistributedCache Empty() => new(Options.Create(new MemoryDistributedCacheOptions()));

    private void Enter()
    {
        Interlocked.Increment(ref _calls);
        if (Failure is { } failure)
        {
            throw failure;
        }
    }

    private async Task EnterAsync(CancellationToken token)
    {
        Enter();
        if (_hang is { } hang)
        {
            await hang.Task.WaitAsync(HeedsTokens ? token : CancellationToken.None);
        }
    }
}
