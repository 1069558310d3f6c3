namespace EfScaling.Routing.Scatter;

/// <summary>A scope in which queries over several shards give the rows of those shards that answer, with what became of the others.</summary>
/// <remarks>Ends when it is disposed, or with the context; within another scope it reports to that as well. Not thread-safe, like the context.</remarks>
public sealed class PartialResults : IDisposable
{
    private readonly Dictionary<string, Exception> _failures = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();
    private readonly PartialResults? _outer;
    private ReadRouter? _home;

    internal PartialResults(ReadRouter home) => (_home, _outer) = (home, home.Partial);

    /// <summary>Gets whether every shard has answered every query of the scope so far.</summary>
    public bool AreComplete
    {
        get
        {
            lock (_lock)
            {
                return _failures.Count == 0;
            }
        }
    }

    /// <summary>Gets the shards whose rows were left out of a result, with the first reason of each.</summary>
    public IReadOnlyDictionary<string, Exception> Failures
    {
        get
        {
            lock (_lock)
            {
                return new Dictionary<string, Exception>(_failures, StringComparer.Ordinal);
            }
        }
    }

    /// <inheritdoc />
    public void Dispose()
    {
        if (_home is not { } home)
        {
            return;
        }

        _home = null;
        while (home.Partial is { _home: null } ended)
        {
            home.Partial = ended._outer;
        }
    }

    /// <summary>Notes that a shard does not answer.</summary>
    internal void Note(string shard, Exception failure)
    {
        lock (_lock)
        {
            _failures.TryAdd(shard, failure);
        }

        _outer?.Note(shard, failure);
    }
}
