// The answer is taken once, by one of two methods.
#pragma warning disable CA2012

namespace EfScaling.Caching;

/// <summary>A question for versions, sent when it is made to a store that may throw though it must not. Its answer is taken once.</summary>
internal readonly struct VersionQuestion
{
    private readonly ICacheStore _store;
    private readonly string[] _keys;
    private readonly ValueTask<CacheReading> _asking;

    /// <param name="store">The store that is asked.</param>
    /// <param name="keys">Keys of the versions.</param>
    public VersionQuestion(ICacheStore store, string[] keys)
    {
        (_store, _keys) = (store, keys);
        try
        {
            _asking = store.ReadAsync(null, keys, CancellationToken.None);
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            _asking = new(Thrown(exception));
        }
    }

    /// <summary>Returns the answer, and needs no thread of the pool to get it: one that has not come by now is asked for again.</summary>
    public CacheReading Answer()
    {
        try
        {
#pragma warning disable RS0030 // It has completed: nothing blocks.
            return _asking.IsCompleted ? _asking.Result : _store.Read(null, _keys);
#pragma warning restore RS0030
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            return Thrown(exception);
        }
    }

    /// <summary>Returns the answer.</summary>
    public async ValueTask<CacheReading> AnswerAsync()
    {
        try
        {
            return await _asking.ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            return Thrown(exception);
        }
    }

    private static CacheReading Thrown(Exception exception) => CacheReading.Failed($"the store threw {exception.GetType().Name}");
}
