using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>Holds back the reader of a command that has run, as a slow network would.</summary>
/// <param name="word">What the commands that are held back contain.</param>
internal sealed class CommandGate(string word) : DbCommandInterceptor
{
    private readonly TaskCompletionSource _arrived = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _closed;

    /// <summary>Completes when a command is held back.</summary>
    public Task Arrived => _arrived.Task;

    /// <summary>Holds the next command back.</summary>
    public void Close() => _closed = 1;

    /// <summary>Lets it go on.</summary>
    public void Open() => _opened.TrySetResult();

    public override async ValueTask<DbDataReader> ReaderExecutedAsync(
        DbCommand command, CommandExecutedEventData eventData, DbDataReader result, CancellationToken cancellationToken = default)
    {
        if (command.CommandText.Contains(word, StringComparison.Ordinal) && Interlocked.Exchange(ref _closed, 0) == 1)
        {
            _arrived.TrySetResult();
            await _opened.Task.WaitAsync(MarkedNotes.Patience, cancellationToken);
        }

        return result;
    }
}
