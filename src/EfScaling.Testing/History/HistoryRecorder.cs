using System.Collections.Concurrent;
using System.Diagnostics;

namespace EfScaling.Testing.History;

/// <summary>Keeps the events of a history and the clock that they share.</summary>
/// <remarks>Thread-safe.</remarks>
public sealed class HistoryRecorder
{
    private readonly ConcurrentQueue<HistoryEvent> _events = new();
    private readonly ConcurrentDictionary<string, int> _failures = new();
    private readonly long _origin = Stopwatch.GetTimestamp();
    private long _commands;
    private int _sessions;

    /// <summary>Gets the present moment: monotonic time since the recorder was made.</summary>
    public TimeSpan Now => Stopwatch.GetElapsedTime(_origin);

    /// <summary>Gets the events so far.</summary>
    public IReadOnlyList<HistoryEvent> Events => [.. _events];

    /// <summary>Gets how often operations failed, by their error. A failed read shows nothing, so it breaks no rule.</summary>
    public IReadOnlyDictionary<string, int> Failures => _failures;

    /// <summary>Returns a new number for a command.</summary>
    public long NextCommand() => Interlocked.Increment(ref _commands);

    /// <summary>Returns a new number for a session.</summary>
    public int NextSession() => Interlocked.Increment(ref _sessions);

    /// <summary>Adds an event that has ended.</summary>
    public void Add(HistoryEvent happened)
    {
        ArgumentNullException.ThrowIfNull(happened);
        _events.Enqueue(happened);
    }

    /// <summary>Counts an operation that failed.</summary>
    /// <param name="how">The kind of operation.</param>
    /// <param name="exception">Its error.</param>
    public void Failed(string how, Exception exception)
    {
        ArgumentNullException.ThrowIfNull(exception);
        var cause = exception.GetBaseException();
        _failures.AddOrUpdate($"{how}: {cause.GetType().Name}: {cause.Message.Split('\n')[0]}", 1, (_, count) => count + 1);
    }
}
