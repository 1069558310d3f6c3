using System.Diagnostics;

namespace EfScaling.Testing.History;

/// <summary>Keeps clients from writing for a while, and from writing all the time.</summary>
/// <param name="pause">The least time between the beginnings of two writes.</param>
/// <remarks>Thread-safe.</remarks>
internal sealed class WriteGate(TimeSpan pause = default)
{
    private readonly Lock _lock = new();
    private bool _isClosed;
    private int _writers;
    private long _lastBegin;

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

    /// <summary>Lets a write begin, unless the gate is closed or another one has just begun.</summary>
    public bool TryEnter()
    {
        lock (_lock)
        {
            if (_isClosed || (_lastBegin != 0 && Stopwatch.GetElapsedTime(_lastBegin) < pause))
            {
                return false;
            }

            _writers++;
            _lastBegin = Stopwatch.GetTimestamp();
            return true;
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
