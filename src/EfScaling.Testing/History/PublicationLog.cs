using EfScaling.Diagnostics;
using Microsoft.Extensions.Logging;

namespace EfScaling.Testing.History;

/// <summary>Receives the log of an application, to learn which writes the store of its query cache could not be told of at once.</summary>
/// <remarks>Each application that stands for a process needs one of its own, in <c>UseLoggerFactory</c>. Thread-safe.</remarks>
public sealed class PublicationLog : ILoggerFactory, ILogger
{
    private static readonly AsyncLocal<Publication?> _current = new();

    /// <inheritdoc />
    public ILogger CreateLogger(string categoryName)
    {
        ArgumentNullException.ThrowIfNull(categoryName);
        return categoryName.StartsWith("EfScaling.", StringComparison.Ordinal) ? new EachWrite(this) : this;
    }

    /// <inheritdoc />
    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

    /// <inheritdoc />
    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (eventId.Id == EfScalingEventId.WriteNotPublished && _current.Value is { } publication)
        {
            publication.HasFailed = true;
        }
    }

    /// <inheritdoc />
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    /// <inheritdoc />
    public void AddProvider(ILoggerProvider provider)
    {
        // There is nobody else to tell.
    }

    /// <inheritdoc />
    public void Dispose()
    {
        // There is nothing to release.
    }

    /// <summary>Begins to watch the write that the caller's flow is about to do.</summary>
    internal static Publication Watch() => _current.Value = new Publication();

    // Of an outage only the first write is a warning. EF's own categories are not asked for more: that would cost each command.
    private sealed class EachWrite(PublicationLog log) : ILogger
    {
        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Debug;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            log.Log(logLevel, eventId, state, exception, formatter);

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;
    }

    /// <summary>What became of the publication of one write.</summary>
    internal sealed class Publication : IDisposable
    {
        private volatile bool _hasFailed;

        /// <summary>Gets or sets whether the store could not be told at once.</summary>
        public bool HasFailed
        {
            get => _hasFailed;
            set => _hasFailed = value;
        }

        /// <inheritdoc />
        public void Dispose() => _current.Value = null;
    }
}
