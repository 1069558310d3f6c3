using System.Threading.Channels;
using EfScaling.Diagnostics;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Replication.ChangeStream;
using EfScaling.Testing;

namespace EfScaling.IntegrationTests.Replication.ChangeStream;

/// <summary>One instance of an application: reads changes in the background and keeps them for the test.</summary>
#pragma warning disable CA1001 // Tests dispose an instance early to end it, and again with the test; a token source without a timer holds nothing.
public sealed class ChangeRecorder : IAsyncDisposable
#pragma warning restore CA1001
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(30);

    private readonly CancellationTokenSource _end = new();
    private readonly Channel<CommittedChanges> _handedOn = Channel.CreateUnbounded<CommittedChanges>();
    private readonly LogicalChanges _changes;
    private readonly Func<string, Task> _onHandingOn;

    private ChangeRecorder(LogicalDatabase database, Func<ChangeStreamOptions, ChangeStreamOptions>? configure, Func<string, Task>? onHandingOn)
    {
        _onHandingOn = onHandingOn ?? (_ => Task.CompletedTask);
        var options = new ChangeStreamOptions
        {
            Slot = database.Slot,
            TakeOverInterval = TimeSpan.FromMilliseconds(50),
            ConfirmInterval = TimeSpan.FromMilliseconds(100),
            CheckInterval = TimeSpan.FromMilliseconds(100),
            LongestRetry = TimeSpan.FromMilliseconds(500),
        };
        _changes = new LogicalChanges(database.ConnectionString, configure?.Invoke(options) ?? options, TakeAsync, TimeProvider.System, Log);
        Running = Task.Run(() => _changes.RunAsync(_end.Token));
    }

    public EventLog Log { get; } = new();

    public Task Running { get; }

    internal ChangeLag? Lag => _changes.Lag;

    /// <summary>Starts an instance.</summary>
    /// <param name="database">Whose changes to read.</param>
    /// <param name="configure">Changes the options.</param>
    /// <param name="onHandingOn">Runs before a transaction is kept, with its text; may fail or wait.</param>
    internal static ChangeRecorder Start(
        LogicalDatabase database, Func<ChangeStreamOptions, ChangeStreamOptions>? configure = null, Func<string, Task>? onHandingOn = null) =>
        new(database, configure, onHandingOn);

    /// <summary>Starts an instance and waits for the gap with which a new slot begins.</summary>
    internal static async Task<ChangeRecorder> StartNewAsync(
        LogicalDatabase database, Func<ChangeStreamOptions, ChangeStreamOptions>? configure = null, Func<string, Task>? onHandingOn = null)
    {
        var recorder = Start(database, configure, onHandingOn);
        Assert.Equal("everything", await recorder.NextAsync());
        return recorder;
    }

    /// <summary>Returns the tables of the next transaction, in alphabetical order with spaces between; "everything" for a gap.</summary>
    public async Task<string> NextAsync() => Describe(await NextChangesAsync());

    internal async Task<CommittedChanges> NextChangesAsync()
    {
        var next = _handedOn.Reader.ReadAsync(_end.Token).AsTask();
        await Task.WhenAny(next, Running).WaitAsync(_patience);
        if (!next.IsCompleted)
        {
            await Running;
        }

        return await next;
    }

    /// <summary>Returns what a server that is not set up is said to lack. The instance goes on and tries again.</summary>
    public async Task<string> RefusalAsync()
    {
        await Eventually.ThatAsync(() => Log.Count(EfScalingEventId.ChangeStreamRefused) > 0, _patience, "the server to be refused");
        Assert.False(Running.IsCompleted);
        return Log.Events.First(e => e.Id == EfScalingEventId.ChangeStreamRefused).Message;
    }

    /// <summary>Skips transactions until one of a table comes.</summary>
    public async Task<IReadOnlyList<string>> UntilAsync(string tables)
    {
        var seen = new List<string>();
        do
        {
            seen.Add(await NextAsync());
        }
        while (seen[^1] != tables);
        return seen;
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await Running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private static string Describe(CommittedChanges changes) =>
        changes.MayBeEverything ? "everything" : string.Join(' ', changes.Tables.Select(t => t.ToString()).Order(StringComparer.Ordinal));

    private async ValueTask TakeAsync(CommittedChanges changes, CancellationToken cancellationToken)
    {
        await _onHandingOn(Describe(changes)).WaitAsync(cancellationToken);
        await _handedOn.Writer.WriteAsync(changes, cancellationToken);
    }
}
