using System.Collections.Concurrent;
using System.Diagnostics;

namespace EfScaling.Testing.History;

/// <summary>Keeps the events of a history and the clock that they share.</summary>
/// <remarks>Thread-safe.</remarks>
/// <param name="origin">The moment from which its clock counts, as <see cref="Stopwatch.GetTimestamp"/> gave it: the same for all processes of a run.</param>
/// <param name="first">The number of the first command and session. Another process of the run needs others.</param>
public sealed class HistoryRecorder(long origin, int first = 0)
{
    private readonly ConcurrentQueue<HistoryEvent> _events = new();
    private readonly ConcurrentDictionary<string, int> _failures = new();
    private long _commands = first;
    private int _sessions = first;

    /// <summary>Makes a recorder whose clock starts now.</summary>
    public HistoryRecorder()
        : this(Stopwatch.GetTimestamp())
    {
    }

    /// <summary>Gets the moment from which its clock counts.</summary>
    public long Origin => origin;

    /// <summary>Gets the present moment: monotonic time since the recorder was made.</summary>
    public TimeSpan Now => Stopwatch.GetElapsedTime(origin);

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

    /// <summary>Takes the events so far away, to send them elsewhere.</summary>
    public IReadOnlyList<HistoryEvent> Take()
    {
        var taken = new List<HistoryEvent>();
        while (_events.TryDequeue(out var happened))
        {
            taken.Add(happened);
        }

        return taken;
    }

    /// <summary>Counts an operation that failed.</summary>
    /// <param name="how">The kind of operation.</param>
    /// <param name="exception">Its error.</param>
    public void Failed(string how, Exception exception)
    {
        ArgumentNullException.ThrowIfNull(exception);
        var cause = exception.GetBaseException();
        Failed($"{how}: {cause.GetType().Name}: {cause.Message.Split('\n')[0]}", 1);
    }

    /// <summary>Adds operations of another process that failed.</summary>
    /// <param name="error">The kind of operation, and its error.</param>
    /// <param name="times">How often.</param>
    public void Failed(string error, int times) => _failures.AddOrUpdate(error, times, (_, count) => count + times);
}
