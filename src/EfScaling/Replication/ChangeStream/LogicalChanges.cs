using EfScaling.Consistency;
using EfScaling.Diagnostics;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace EfScaling.Replication.ChangeStream;

/// <summary>Tells a consumer which tables each committed transaction of a database has changed, whoever made it and however.</summary>
/// <remarks>
/// <para>Reads the write-ahead log by logical decoding. Each transaction is handed on at least once and in the order of commits; again after a failure between the
/// consumer's end and the server's knowledge of it. Nothing is confirmed before the consumer has completed; one that fails is called again with the same
/// transaction. When the slot was lost, or there was none, the consumer is told that everything may have changed before it gets the first transaction.</para>
/// <para>Any number of instances may run: one reads, the others wait for it to end, which the server notices after <c>wal_sender_timeout</c> when its machine died.
/// Failures are tried again for ever, and so are servers that are not set up for it, which is logged as an error.</para>
/// <para>Not reported: unlogged and temporary tables, definitions (ALTER, DROP, attaching a partition) and REFRESH MATERIALIZED VIEW. The slot keeps log on the server
/// while no instance runs; <c>max_slot_wal_keep_size</c> bounds it.</para>
/// </remarks>
/// <param name="connectionString">Connection string of a role with the right to replicate; with several hosts, the primary among them is read.</param>
/// <param name="options">How to read.</param>
/// <param name="consumer">Gets each transaction, one at a time.</param>
/// <param name="clock">Time for pauses and lag.</param>
/// <param name="logger">Where events go.</param>
internal sealed class LogicalChanges(
    string connectionString, ChangeStreamOptions options, Func<CommittedChanges, CancellationToken, ValueTask> consumer, TimeProvider clock, ILogger logger)
{
    private const int MaxDoublings = 20;

    private static readonly TimeSpan _partingTime = TimeSpan.FromSeconds(3);

    private readonly Lock _lock = new();
    private ChangeLag? _lag;
    private int _failures;
    private bool _saidWaiting;
    private bool _saidRetained;

    /// <summary>Gets how far the consumer was behind when last measured; <see langword="null"/> while this instance does not read. Thread-safe.</summary>
    public ChangeLag? Lag
    {
        get
        {
            lock (_lock)
            {
                return _lag;
            }
        }

        private set
        {
            lock (_lock)
            {
                _lag = value;
            }
        }
    }

    /// <summary>Reads, and waits while another instance does, until the token says so. Call it once.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                await StreamAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (Exception) when (cancellationToken.IsCancellationRequested)
            {
                throw new OperationCanceledException(cancellationToken);
            }
            catch (ChangeStreamRefusedException refusal)
            {
                logger.ChangeStreamRefused(options.Slot, options.LongestRetry.TotalSeconds, refusal.Message);
                await Task.Delay(options.LongestRetry, clock, cancellationToken).ConfigureAwait(false);
            }
#pragma warning disable CA1031 // Whatever a connection or the consumer meets: what was not confirmed comes again.
            catch (Exception failure)
#pragma warning restore CA1031
            {
                var delay = TimeSpan.FromTicks(Math.Min(options.FirstRetry.Ticks << Math.Min(_failures++, MaxDoublings), options.LongestRetry.Ticks));
                logger.ChangeStreamBroke(options.Slot, delay.TotalSeconds, NodeError.Describe(failure));
                await Task.Delay(delay, clock, cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                Lag = null;
            }
        }
    }

    private async Task StreamAsync(CancellationToken cancellationToken)
    {
        var server = await ChangeServer.OpenAsync(connectionString, cancellationToken).ConfigureAwait(false);
        await using (server.ConfigureAwait(false))
        {
            await new ChangePublication(server, options, logger).EnsureAsync(cancellationToken).ConfigureAwait(false);
            var slot = new ChangeSlot(server, options);
            while (true)
            {
                switch (await slot.FindAsync(cancellationToken).ConfigureAwait(false))
                {
                    case ChangeSlotState.Ready:
                        await ReadAsync(server, slot, cancellationToken).ConfigureAwait(false);
                        continue;
                    case ChangeSlotState.Missing:
                        if (await slot.CreateAsync(position => ReportGapAsync(position, "the slot was new", cancellationToken), cancellationToken).ConfigureAwait(false))
                        {
                            continue;
                        }

                        break;
                    case ChangeSlotState.Lost:
                        await slot.DropAsync(cancellationToken).ConfigureAwait(false);
                        continue;
                }

                await WaitAsync(cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private async Task WaitAsync(CancellationToken cancellationToken)
    {
        if (!_saidWaiting)
        {
            _saidWaiting = true;
            logger.ChangeStreamWaits(options.Slot);
        }

        await Task.Delay(options.TakeOverInterval, clock, cancellationToken).ConfigureAwait(false);
    }

    private async Task ReadAsync(ChangeServer server, ChangeSlot slot, CancellationToken cancellationToken)
    {
        // Not linked: cancelling the network makes Npgsql ask the server to stop and blocks its thread on one that hangs.
        var network = new CancellationTokenSource();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var reader = new ChangeReader(server, options, clock);
        var handover = new ChangeHandover(consumer, cancellationToken);
        var (reading, measuring) = (Task.CompletedTask, Task.CompletedTask);
        try
        {
            await reader.OpenAsync(cancellationToken).ConfigureAwait(false);
            reading = reader.RunAsync(() => OnBegun(server), (changes, sinceCommit) => HandOnAsync(handover, changes, sinceCommit), network.Token);
            measuring = MeasureAsync(reader, slot, network.Token);
            var ended = await Task.WhenAny(reading, measuring, Task.Delay(Timeout.InfiniteTimeSpan, clock, stop.Token)).ConfigureAwait(false);
            await ended.ConfigureAwait(false);
        }
        catch (PostgresException raced) when (raced.SqlState == PostgresErrorCodes.ObjectInUse)
        {
            // Another instance took the slot between our look and our start.
        }
        catch (PostgresException unreadable) when (unreadable.SqlState == PostgresErrorCodes.UndefinedObject)
        {
            // The publication was dropped and made again; the server decodes older changes with the catalog of their time, in which there is none.
            // A dropped slot says the same, and dropping it again does nothing.
            await slot.DropAsync(cancellationToken).ConfigureAwait(false);
            throw;
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await handover.DisposeAsync().ConfigureAwait(false);

            // A server that answers lets go of the slot at once, and the next instance can take it. One that does not is left to itself.
            await LeaveAsync(reader, network, Task.WhenAll(reading, measuring)).WaitAsync(_partingTime, clock, CancellationToken.None)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static async Task LeaveAsync(ChangeReader reader, CancellationTokenSource network, Task underWay)
    {
        await network.CancelAsync().ConfigureAwait(false);
        await underWay.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await reader.DisposeAsync().ConfigureAwait(false);
        network.Dispose();
    }

    private void OnBegun(ChangeServer server)
    {
        _saidWaiting = false;
        logger.ChangeStreamStarted(options.Slot, server.Node);
    }

    private async Task HandOnAsync(ChangeHandover handover, CommittedChanges changes, TimeSpan sinceCommit)
    {
        var start = clock.GetTimestamp();
        await handover.GiveAsync(changes).ConfigureAwait(false);
        _failures = 0;
        ChangeStreamMeter.CountTransaction(options.Slot, sinceCommit + clock.GetElapsedTime(start));
    }

    private async Task ReportGapAsync(WalPosition position, string reason, CancellationToken cancellationToken)
    {
        logger.ChangeStreamGap(options.Slot, position.ToString(), reason);
        ChangeStreamMeter.CountGap(options.Slot);
        await consumer(CommittedChanges.Everything, cancellationToken).ConfigureAwait(false);
    }

    private async Task MeasureAsync(ChangeReader reader, ChangeSlot slot, CancellationToken cancellationToken)
    {
        var behind = new ChangeLagClock(clock);
        while (true)
        {
            var askedAt = Moment.Now(clock);
            if (await slot.MeasureAsync(cancellationToken).WaitAsync(options.SilenceTimeout, clock, cancellationToken).ConfigureAwait(false) is { } log)
            {
                behind.Observe(askedAt, log.End);
                var confirmed = reader.Confirmed;
                var bytes = (long)(log.End > confirmed ? log.End.Value - confirmed.Value : 0);
                Report(new ChangeLag(confirmed == WalPosition.None ? log.RetainedBytes : bytes, behind.Behind(confirmed, Moment.Now(clock)), log.RetainedBytes));
            }

            await Task.Delay(options.CheckInterval, clock, cancellationToken).ConfigureAwait(false);
        }
    }

    private void Report(ChangeLag lag)
    {
        Lag = lag;
        ChangeStreamMeter.RecordLag(options.Slot, lag.Time, lag.Bytes, lag.RetainedBytes);
        var exceeds = lag.RetainedBytes > options.RetentionLimit;
        if (exceeds && !_saidRetained)
        {
            logger.ChangeSlotRetainsTooMuch(options.Slot, lag.RetainedBytes, options.RetentionLimit);
        }

        _saidRetained = exceeds;
    }
}
