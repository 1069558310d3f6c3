// The answer is taken once, by one of two methods.
#pragma warning disable CA2012

namespace EfScaling.Caching;

/// <summary>The question for the version of the schema, sent when it is made. Its answer is taken once.</summary>
internal readonly struct SchemaQuestion
{
    private readonly ICacheStore _store;
    private readonly string _key;
    private readonly ValueTask<CacheReading> _asking;

    /// <param name="store">The store that is asked.</param>
    /// <param name="key">Key of the version.</param>
    public SchemaQuestion(ICacheStore store, string key)
    {
        (_store, _key) = (store, key);
        try
        {
            _asking = store.ReadAsync(null, [key], CancellationToken.None);
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
            return _asking.IsCompleted ? _asking.Result : _store.Read(null, [_key]);
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

    // A store of the application may throw though it must not.
    private static CacheReading Thrown(Exception exception) => CacheReading.Failed($"the store threw {exception.GetType().Name}");
}
