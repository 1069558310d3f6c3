using System.Data.Common;
using System.Diagnostics;
using System.Runtime.ExceptionServices;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Routing.Transactions;

/// <summary>Lets one method serve callers of both kinds: told to be synchronous, it does all its I/O synchronously and returns a task that is complete.</summary>
/// <remarks>What commits over several shards has many steps, and two copies of them would differ sooner or later.</remarks>
internal static class Synchrony
{
    private static readonly TimeSpan _firstPause = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan _longestPause = TimeSpan.FromMilliseconds(500);

    /// <summary>Returns what a method gave that was told to be synchronous.</summary>
    public static T Result<T>(ValueTask<T> complete)
    {
        Debug.Assert(complete.IsCompleted, "A method that was told to be synchronous has waited.");
        return complete.GetAwaiter().GetResult();
    }

    /// <inheritdoc cref="Result{T}(ValueTask{T})" />
    public static void Result(ValueTask complete)
    {
        Debug.Assert(complete.IsCompleted, "A method that was told to be synchronous has waited.");
        complete.GetAwaiter().GetResult();
    }

    /// <summary>Closes a connection.</summary>
    public static ValueTask DisposeAsync(DbConnection connection, bool async)
    {
        if (async)
        {
            return connection.DisposeAsync();
        }

        connection.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>Ends a transaction, which is rolled back unless it is committed.</summary>
    public static async ValueTask DisposeAsync(IDbContextTransaction transaction, bool async)
    {
        try
        {
            if (async)
            {
                await transaction.DisposeAsync().ConfigureAwait(false);
            }
            else
            {
                transaction.Dispose();
            }
        }
        catch (DbException)
        {
            // The connection is lost, and the server has rolled back.
        }
    }

    /// <summary>Ends the transactions of shards one after the other, each whatever becomes of the others: what is written next on one must not become part of it.</summary>
    public static async ValueTask DisposeAllAsync(IReadOnlyList<Participant> participants, bool async)
    {
        Exception? first = null;
        foreach (var participant in participants)
        {
            first = await FailureOfAsync(participant, p => DisposeAsync(p.Transaction, async)).ConfigureAwait(false) is { } failure ? first ?? failure : first;
        }

        if (first is not null)
        {
            ExceptionDispatchInfo.Throw(first);
        }
    }

    /// <summary>Runs something for each item: all at once if asynchronously, else one after the other.</summary>
    /// <returns>The failures, of which none keeps the others from being run.</returns>
    public static async ValueTask<IReadOnlyList<Exception>> ForEachAsync<T>(IReadOnlyList<T> items, Func<T, ValueTask> run, bool async)
    {
        var failures = new List<Exception>();
        if (async && items.Count > 1)
        {
            var tasks = new Task<Exception?>[items.Count];
            for (var i = 0; i < tasks.Length; i++)
            {
                tasks[i] = FailureOfAsync(items[i], run).AsTask();
            }

            failures.AddRange((await Task.WhenAll(tasks).ConfigureAwait(false)).OfType<Exception>());
            return failures;
        }

        foreach (var item in items)
        {
            if (await FailureOfAsync(item, run).ConfigureAwait(false) is { } failure)
            {
                failures.Add(failure);
            }
        }

        return failures;
    }

    /// <summary>Waits a little before something is tried again, longer each time.</summary>
    /// <param name="attempt">How often it has failed, from 1 on.</param>
    /// <param name="clock">The clock.</param>
    /// <param name="async">Whether to wait asynchronously.</param>
    public static async ValueTask PauseAsync(int attempt, TimeProvider clock, bool async)
    {
        var pause = TimeSpan.FromTicks(Math.Min(_longestPause.Ticks, _firstPause.Ticks << Math.Min(attempt - 1, 10)));
        if (async)
        {
            await Task.Delay(pause, clock).ConfigureAwait(false);
            return;
        }

        // Whoever commits synchronously has asked to be blocked.
        using var turn = new ManualResetEventSlim();
        turn.Wait(pause);
    }

    // What fails for one is part of the answer.
#pragma warning disable CA1031
    private static async ValueTask<Exception?> FailureOfAsync<T>(T item, Func<T, ValueTask> run)
    {
        try
        {
            await run(item).ConfigureAwait(false);
            return null;
        }
        catch (Exception failure)
        {
            return failure;
        }
    }
#pragma warning restore CA1031
}
