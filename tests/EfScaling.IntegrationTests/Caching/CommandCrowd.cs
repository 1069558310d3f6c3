using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace EfScaling.IntegrationTests.Caching;

/// <summary>Counts how many commands run at the same time.</summary>
/// <param name="word">What the commands that count contain.</param>
internal sealed class CommandCrowd(string word) : DbCommandInterceptor
{
    private readonly Lock _lock = new();
    private int _running;

    /// <summary>The most that ran at the same time.</summary>
    public int Most { get; private set; }

    public override ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result, CancellationToken cancellationToken = default)
    {
        Count(command, 1);
        return ValueTask.FromResult(result);
    }

    public override ValueTask<DbDataReader> ReaderExecutedAsync(
        DbCommand command, CommandExecutedEventData eventData, DbDataReader result, CancellationToken cancellationToken = default)
    {
        Count(command, -1);
        return ValueTask.FromResult(result);
    }

    private void Count(DbCommand command, int change)
    {
        if (command.CommandText.Contains(word, StringComparison.Ordinal))
        {
            lock (_lock)
            {
                _running += change;
                Most = Math.Max(Most, _running);
            }
        }
    }
}
