using EfScaling.Diagnostics;
using Microsoft.Extensions.Logging;

namespace EfScaling.IntegrationTests.Sharding.Transactions;

/// <summary>Lets a test interfere at the steps of a commit over several shards, which are logged.</summary>
public sealed class StepLog : ILoggerProvider, ILogger
{
    private volatile Action<int>? _onStep;

    /// <summary>What happens at a step, told by the event's id: it may throw, and may be called by several commits at once.</summary>
    public Action<int>? OnStep
    {
        get => _onStep;
        set => _onStep = value;
    }

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (eventId.Id is EfScalingEventId.ShardsPrepared or EfScalingEventId.ShardsDecided)
        {
            _onStep?.Invoke(eventId.Id);
        }
    }

    public void Dispose()
    {
    }
}
