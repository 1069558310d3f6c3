using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace EfScaling.IntegrationTests.Clusters;

/// <summary>Keeps what EfScaling logs, as an application's logger would receive it.</summary>
public sealed class EventLog : ILoggerFactory, ILogger
{
    private readonly ConcurrentQueue<(int Id, string Message)> _events = new();

    public IReadOnlyList<(int Id, string Message)> Events => [.. _events];

    public int Count(int id) => _events.Count(e => e.Id == id);

    public ILogger CreateLogger(string categoryName) => this;

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull =>
        null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        _events.Enqueue((eventId.Id, formatter(state, exception) + exception));

    public void Dispose()
    {
    }
}
