namespace EfScaling.Testing.History;

/// <summary>Keeps clients from writing for a while.</summary>
/// <remarks>Thread-safe.</remarks>
internal sealed class WriteGate
{
    private readonly Lock _lock = new();
    private bool _isClosed;
    private int _writers;

    /// <summary>Gets whether nobody writes nor may begin to.</summary>
    public bool IsQuiet
    {
        get
        {
            lock (_lock)
            {
                return _isClosed && _writers == 0;
            }
        }
    }

    /// <summary>Lets a write begin, unless the gate is closed.</summary>
    public bool TryEnter()
    {
        lock (_lock)
        {
            _writers += _isClosed ? 0 : 1;
            return !_isClosed;
        }
    }

    /// <summary>Notes that a write has ended.</summary>
    public void Leave()
    {
        lock (_lock)
        {
            _writers--;
        }
    }

    /// <summary>Closes the gate; writes that are under way go on.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _isClosed = true;
        }
    }

    /// <summary>Opens the gate.</summary>
    public void Open()
    {
        lock (_lock)
        {
            _isClosed = false;
        }
    }
}
