using System.Runtime.ExceptionServices;
using EfScaling.Diagnostics;
using EfScaling.Replication;
using EfScaling.Routing.Shards;
using Npgsql;

namespace EfScaling.Routing.Transactions;

/// <summary>Commits the transactions of several shards in two phases: on all of them or on none, whatever fails.</summary>
/// <remarks>
/// <list type="number">
/// <item>All but the first shard prepare. From then on each of them can commit, whatever happens to it.</item>
/// <item>The first shard commits, and with its own rows the decision: a row in <c>efscaling.decision</c>. That is the moment at which the whole is committed.</item>
/// <item>The others commit what they have prepared.</item>
/// </list>
/// <para>
/// A failure before the decision rolls back everywhere. If its answer is lost, the row is asked for, and if it is not there, written as abort, which the server lets only one of both do.
/// Whoever finds a prepared part later does the same (<see cref="ShardRecovery"/>). Not thread-safe.
/// </para>
/// </remarks>
internal sealed class DistributedCommit(ContextShards shards, IReadOnlyList<Participant> participants)
{
    // Beyond it the commit is left to recovery. The answer to the caller is right either way, but reads may not see the write on all shards yet.
    private static readonly TimeSpan _finishTimeout = TimeSpan.FromSeconds(5);

    // Longer than a server takes to start again.
    private static readonly TimeSpan _settleTimeout = TimeSpan.FromSeconds(30);

    private readonly Guid _id = Guid.CreateVersion7();

    private Participant Decider => participants[0];

    /// <summary>Commits.</summary>
    /// <param name="async">Whether to wait asynchronously.</param>
    /// <param name="cancellationToken">Ends the wait, before the decision; from then on there is no way back.</param>
    /// <exception cref="NpgsqlException">A shard refused or was lost, and nothing is committed.</exception>
    /// <exception cref="PartialCommitException">The first shard was lost and does not answer. It is committed everywhere or nowhere, and nobody knows yet.</exception>
    public async ValueTask RunAsync(bool async, CancellationToken cancellationToken)
    {
        Participant[] others = [.. participants.Skip(1)];
        try
        {
            foreach (var participant in participants)
            {
                await participant.Transaction.BeginCommitAsync(async, cancellationToken).ConfigureAwait(false);
            }

            cancellationToken.ThrowIfCancellationRequested();
            var failures = await Synchrony.ForEachAsync(others, p => Named(p, p.PrepareAsync(NameOf(p), async, cancellationToken)), async).ConfigureAwait(false);
            if (failures.Count > 0)
            {
                ExceptionDispatchInfo.Throw(failures[0]);
            }

            // A PREPARE that was cancelled while it waited for a synchronous standby succeeds all the same, without the standby.
            cancellationToken.ThrowIfCancellationRequested();
            shards.Logger.ShardsPrepared(_id);
            await DecideAsync(async).ConfigureAwait(false);
        }
        catch (PartialCommitException unknown)
        {
            shards.Recovery.Request();
            await FailAsync(unknown, isInDoubt: true, async).ConfigureAwait(false);
            TransactionMeter.Count("InDoubt", participants.Count);
            throw;
        }
        catch (Exception failure)
        {
            await RollBackAsync(async).ConfigureAwait(false);
            await FailAsync(failure, isInDoubt: false, async).ConfigureAwait(false);
            TransactionMeter.Count("RolledBack", participants.Count);
            throw;
        }

        shards.Logger.ShardsDecided(_id, Decider.Shard);
        var late = await Synchrony.ForEachAsync(others, p => p.FinishAsync(NameOf(p), commit: true, _finishTimeout, async), async).ConfigureAwait(false);
        if (late.Count > 0)
        {
            shards.Recovery.Request();
            shards.Logger.CommitIsLate(string.Join(", ", others.Where(o => !o.IsCommitted).Select(o => $"'{o.Shard}'")), _id, late[0]);
        }

        TransactionMeter.Count("Committed", participants.Count);
        shards.Recovery.Touch();

        // Of all shards before an interceptor of the application hears of the first: it may throw.
        foreach (var participant in participants)
        {
            await participant.Transaction.NoteCommittedAsync(participant.Position, isVisible: participant.IsCommitted, async).ConfigureAwait(false);
        }

        foreach (var participant in participants)
        {
            await participant.Transaction.EndCommitAsync(async).ConfigureAwait(false);
        }
    }

    private async ValueTask DecideAsync(bool async)
    {
        try
        {
            await Named(Decider, Decider.DecideAsync(_id, [.. participants.Select(p => p.Shard)], async)).ConfigureAwait(false);
        }
        catch (Exception failure) when (CommitDoubt.RemainsAfter(failure.InnerException as PostgresException ?? failure))
        {
            if (!await SettleAsync(failure, async).ConfigureAwait(false))
            {
                throw;
            }

            Decider.NoteDecided();
        }
        catch (NpgsqlException given) when (given.SqlState == PostgresErrorCodes.UniqueViolation && given is PostgresException { TableName: "decision", SchemaName: "efscaling" })
        {
            // As of a serialization failure: nothing is committed, and whoever tries again can succeed.
            throw new PostgresException(
                $"A transaction over several shards was given up by the recovery of another process, which took it for interrupted after it had waited for '{Decider.Shard}' for so long. Nothing is committed: repeat it.",
                "ERROR", "ERROR", PostgresErrorCodes.SerializationFailure);
        }
    }

    // Whether the decision is for commit. Whatever keeps the question from being asked, such as a data source that the application has disposed, says nothing about the decision.
#pragma warning disable CA1031
    private async ValueTask<bool> SettleAsync(Exception failure, bool async)
    {
        var clock = shards.Clock;
        var start = clock.GetTimestamp();
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await new DecisionRegister(shards.SourceOf(Decider.Shard)).SettleAsync(_id, async, CancellationToken.None).ConfigureAwait(false);
            }
            catch (Exception unreachable)
            {
                if (unreachable is not NpgsqlException || clock.GetElapsedTime(start) >= _settleTimeout)
                {
                    string[] names = [.. participants.Select(p => p.Shard)];
                    throw new PartialCommitException(
                        $"A transaction over the shards {string.Join(", ", names.Select(n => $"'{n}'"))} was to be committed, and '{Decider.Shard}', which decides, was lost before it answered ({NodeError.Describe(unreachable)}). "
                        + "It will be committed on all of them or on none, and nobody knows yet. When the shard answers again, Database.RecoverShardTransactionsAsync() settles it; then look for what was written before repeating it.",
                        committed: [],
                        notCommitted: [],
                        inDoubt: names,
                        failure);
                }
            }

            await Synchrony.PauseAsync(attempt, clock, async).ConfigureAwait(false);
        }
    }
#pragma warning restore CA1031

    private async ValueTask RollBackAsync(bool async)
    {
        // A server may have been set up anew: the next transaction finds out, and says what is missing.
        foreach (var participant in participants)
        {
            shards.Database.CommitsWithOthers.TryRemove(participant.Shard, out _);
        }

        Participant[] prepared = [.. participants.Where(p => p.MayBePrepared)];
        if ((await Synchrony.ForEachAsync(prepared, p => p.FinishAsync(NameOf(p), commit: false, TimeSpan.Zero, async), async).ConfigureAwait(false)).Count > 0
            || Array.Exists(prepared, p => !p.IsPrepared))
        {
            // What cannot be rolled back now is found there later, and no decision for it. A shard that was lost while it prepared may still be about to.
            shards.Recovery.Request();
        }
    }

    private async ValueTask FailAsync(Exception failure, bool isInDoubt, bool async)
    {
        foreach (var participant in participants)
        {
            await participant.Transaction.NoteFailedAsync(isInDoubt, async).ConfigureAwait(false);
        }

        foreach (var participant in participants)
        {
            await participant.Transaction.FailCommitAsync(failure, async).ConfigureAwait(false);
        }
    }

    private PreparedName NameOf(Participant participant) => new(_id, IndexOf(participant), Decider.Shard);

    private int IndexOf(Participant participant)
    {
        for (var i = 0; i < participants.Count; i++)
        {
            if (participants[i] == participant)
            {
                return i;
            }
        }

        throw new ArgumentException("The shard takes no part in the transaction.", nameof(participant));
    }

    // Names the shard of a connection that is lost.
    private static async ValueTask Named(Participant participant, ValueTask step)
    {
        try
        {
            await step.ConfigureAwait(false);
        }
        catch (NpgsqlException failure) when (ShardConnectionException.Of(participant.Shard, failure) is { } named)
        {
            throw named;
        }
    }
}
