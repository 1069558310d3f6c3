using System.Collections.Concurrent;
using EfScaling.Caching;
using EfScaling.Diagnostics;
using EfScaling.Replication;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;

namespace EfScaling.Routing.Transactions;

/// <summary>Settles what interrupted transactions over several shards have left prepared, each as its decision says.</summary>
/// <param name="shards">All shards.</param>
/// <param name="clock">The clock.</param>
/// <param name="logger">Told of what is settled and of what cannot be.</param>
/// <remarks>
/// Several processes may do so at once, also while the writer goes on: of a transaction without a decision the first to write one decides. A shard that does not answer keeps none of the
/// others from being seen to. Thread-safe.
/// </remarks>
internal sealed class ShardRecovery(IReadOnlyList<RecoveredShard> shards, TimeProvider clock, ILogger logger)
{
    /// <summary>How old a prepared part is before it is taken for left behind, so that those under way are not given up.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    // Also without anything to settle, for old decisions.
    private static readonly TimeSpan _period = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan _longestPause = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan _alertAge = TimeSpan.FromMinutes(1);

    // What a lost writer has sent may be prepared a while after it was given up: a standby was waited for, or a server was frozen.
    private static readonly TimeSpan _latePart = TimeSpan.FromMinutes(1);

    // Guards what follows.
    private readonly Lock _gate = new();
    private bool _isRunning;
    private bool _isRequested;
    private long? _failedAt;

    private long _lastRun = clock.GetTimestamp();

    /// <summary>Lets prepared parts be looked for in the background after a failure: for a minute at least, and until none is left that is old enough.</summary>
    public void Request() => Begin(clock.GetTimestamp());

    /// <summary>Lets prepared parts and old decisions be looked for in the background if that was not done for a while.</summary>
    public void Touch()
    {
        if (clock.GetElapsedTime(Interlocked.Read(ref _lastRun)) > _period)
        {
            Begin(failedAt: null);
        }
    }

    /// <summary>Settles prepared parts, and deletes decisions that nobody will ask for.</summary>
    /// <param name="minAge">How old a prepared part must be to be settled.</param>
    /// <param name="cancellationToken">Ends the work where it stands.</param>
    /// <returns>What was done, and what is left.</returns>
    /// <exception cref="OperationCanceledException">The work was cancelled.</exception>
    public async Task<RecoveryResult> RunAsync(TimeSpan minAge, CancellationToken cancellationToken)
    {
        Interlocked.Exchange(ref _lastRun, clock.GetTimestamp());
        var pass = new Pass();
        await Parallel.ForEachAsync(shards, cancellationToken, async (shard, token) => await OnShardAsync(shard, s => ListAsync(s, pass, token), pass, token).ConfigureAwait(false)).ConfigureAwait(false);
        Guid[] prepared = [.. pass.Found.Select(f => f.Name.Id).Distinct()];
        string[] asked = [.. shards.Select(s => s.Name).Where(n => !pass.Unreachable.ContainsKey(n))];
        foreach (var found in pass.Found)
        {
            await SettleAsync(found, minAge, pass, cancellationToken).ConfigureAwait(false);
        }

        await Parallel.ForEachAsync(
            shards.Where(s => !pass.Unreachable.ContainsKey(s.Name)),
            cancellationToken,
            async (shard, token) => await OnShardAsync(shard, s => ForgetAsync(s, asked, prepared, token), pass, token).ConfigureAwait(false)).ConfigureAwait(false);
        return new RecoveryResult(pass.Committed, pass.RolledBack, [.. pass.Remaining], pass.Unreachable);
    }

    private void Begin(long? failedAt)
    {
        lock (_gate)
        {
            _isRequested = true;
            _failedAt = failedAt ?? _failedAt;
            if (_isRunning)
            {
                return;
            }

            _isRunning = true;
        }

        // Unsafe: what was first to fail must not be kept alive by its async-local values.
        ThreadPool.UnsafeQueueUserWorkItem(static recovery => _ = recovery.RunUntilCleanAsync(), this, preferLocal: false);
    }

    private async Task RunUntilCleanAsync()
    {
        try
        {
            var pause = Patience;
            do
            {
                // What has just been left is not old enough yet.
                await Task.Delay(pause, clock).ConfigureAwait(false);
                pause = TimeSpan.FromTicks(Math.Min(_longestPause.Ticks, pause.Ticks * 2));
            }
            while (!await IsCleanAsync().ConfigureAwait(false));
        }
#pragma warning disable CA1031 // Nobody waits for it, and it must be able to begin anew.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            lock (_gate)
            {
                _isRunning = false;
            }

            // The application that has disposed its data sources ends, and nothing is left to do.
            if (failure is not ObjectDisposedException)
            {
                logger.RecoveryFailed("all", NodeError.Describe(failure));
            }
        }
    }

    private async Task<bool> IsCleanAsync()
    {
        lock (_gate)
        {
            _isRequested = false;
        }

        var result = await RunAsync(Patience, CancellationToken.None).ConfigureAwait(false);
        return result.IsClean && Stop();
    }

    // Whether nobody has asked meanwhile, and nothing can come late any more.
    private bool Stop()
    {
        lock (_gate)
        {
            _isRunning = _isRequested || (_failedAt is { } failed && clock.GetElapsedTime(failed) < _latePart);
            return !_isRunning;
        }
    }

    private async Task OnShardAsync(RecoveredShard shard, Func<RecoveredShard, Task> work, Pass pass, CancellationToken cancellationToken)
    {
        try
        {
            await work(shard).ConfigureAwait(false);
        }
#pragma warning disable CA1031 // Whatever it is, such as a password that could not be had, it is that shard's alone.
        catch (Exception failure) when (failure is not ObjectDisposedException && !cancellationToken.IsCancellationRequested)
#pragma warning restore CA1031
        {
            pass.Unreachable[shard.Name] = NodeError.Describe(failure);
            logger.RecoveryFailed(shard.Name, NodeError.Describe(failure));
        }
    }

    private static async Task ListAsync(RecoveredShard shard, Pass pass, CancellationToken cancellationToken)
    {
        var (count, oldest) = (0, 0.0);
        var command = CommandOf(shard, DecisionSql.ListPrepared);
        await using (command.ConfigureAwait(false))
        {
            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                {
                    if (reader.GetBoolean(0))
                    {
                        // As good as no answer: a decision must not be forgotten because a standby knows of no part that needs it.
                        throw new NpgsqlException("the server is a standby, and does not show what is prepared on its primary");
                    }

                    if (!reader.IsDBNull(1) && PreparedName.Parse(reader.GetString(1)) is { } name)
                    {
                        var age = reader.GetDouble(2);
                        (count, oldest) = (count + 1, Math.Max(oldest, age));
                        pass.Found.Add(new Found(shard, name, TimeSpan.FromSeconds(age)));
                    }
                }
            }
        }

        TransactionMeter.RecordPrepared(shard.Name, count, oldest);
    }

    private async Task SettleAsync(Found found, TimeSpan minAge, Pass pass, CancellationToken cancellationToken)
    {
        if (found.Age < minAge)
        {
            pass.Remaining.Add(new InDoubtTransaction(found.Shard.Name, found.Name.ToString(), found.Age, "it may be under way"));
            return;
        }

        try
        {
            if (pass.Unreachable.TryGetValue(found.Name.Decider, out var why))
            {
                // Each attempt to ask would last as long as one to connect.
                Leave($"its decision is on '{found.Name.Decider}': {why}");
                return;
            }

            var decider = shards.FirstOrDefault(s => s.Name == found.Name.Decider);
            if (decider is null)
            {
                Leave($"its decision is on '{found.Name.Decider}', which is no shard of this process. Add it by AddShard(...), or settle it in a process that has it");
                return;
            }

            var commit = await new DecisionRegister(decider.Source()).SettleAsync(found.Name.Id, async: true, cancellationToken).ConfigureAwait(false);
            await FinishAsync(found, commit, cancellationToken).ConfigureAwait(false);
            pass.Count(commit);
            var outcome = commit ? "Committed" : "RolledBack";
            TransactionMeter.CountSettled(found.Shard.Name, outcome);
            logger.PreparedSettled(found.Name.Id, found.Shard.Name, found.Age.TotalSeconds, outcome);
        }
        catch (PostgresException ended) when (ended.SqlState == Participant.IsEnded)
        {
            // Another process was faster, or the writer.
        }
#pragma warning disable CA1031 // As above.
        catch (Exception failure) when (failure is not ObjectDisposedException && !cancellationToken.IsCancellationRequested)
#pragma warning restore CA1031
        {
            Leave(NodeError.Describe(failure));
        }

        void Leave(string reason)
        {
            pass.Remaining.Add(new InDoubtTransaction(found.Shard.Name, found.Name.ToString(), found.Age, reason));
            if (found.Age >= _alertAge)
            {
                logger.PreparedTooLong(found.Name.ToString(), found.Shard.Name, found.Age.TotalSeconds, reason);
            }
        }
    }

    private async Task FinishAsync(Found found, bool commit, CancellationToken cancellationToken)
    {
        UnitOfWrites? writes = null;
        if (commit && found.Shard.Cache is { } cache)
        {
            // Nobody here knows which tables it has written.
            writes = new UnitOfWrites(cache, logger);
            writes.NoteUnknown(changesSchema: false);
            await writes.PrepareAsync().ConfigureAwait(false);
            _ = writes.Announce();
        }

        try
        {
            var command = CommandOf(found.Shard, found.Name.Statement(commit ? "COMMIT PREPARED" : "ROLLBACK PREPARED"));
            await using (command.ConfigureAwait(false))
            {
                await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            // Also if another process was faster: that may not have come to tell the cache.
            if (writes is not null)
            {
                await writes.PublishAsync().ConfigureAwait(false);
            }
        }
    }

    private async Task ForgetAsync(RecoveredShard shard, string[] asked, Guid[] prepared, CancellationToken cancellationToken)
    {
        var command = CommandOf(shard, DecisionSql.Forget);
        await using (command.ConfigureAwait(false))
        {
            command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = Guid.CreateVersion7(clock.GetUtcNow() - DecisionSql.CommitsAreKept) });
            command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = asked });
            command.Parameters.Add(new NpgsqlParameter<Guid[]> { TypedValue = prepared, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Uuid });
            try
            {
                await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (PostgresException missing) when (missing.SqlState is PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.InvalidSchemaName)
            {
                // The shard has never decided.
            }
        }
    }

    private static NpgsqlCommand CommandOf(RecoveredShard shard, string sql)
    {
        var command = shard.Source().CreateCommand(sql);
        command.CommandTimeout = DecisionRegister.CommandTimeout;
        return command;
    }

    private sealed record Found(RecoveredShard Shard, PreparedName Name, TimeSpan Age);

    private sealed class Pass
    {
        public ConcurrentBag<Found> Found { get; } = [];

        public List<InDoubtTransaction> Remaining { get; } = [];

        public ConcurrentDictionary<string, string> Unreachable { get; } = new(StringComparer.Ordinal);

        public int Committed { get; private set; }

        public int RolledBack { get; private set; }

        public void Count(bool commit)
        {
            if (commit)
            {
                Committed++;
            }
            else
            {
                RolledBack++;
            }
        }
    }
}
