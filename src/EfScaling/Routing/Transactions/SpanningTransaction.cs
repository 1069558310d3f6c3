// The semaphore is never waited for by its handle, and so has nothing to dispose.
#pragma warning disable CA1001

using System.Data.Common;
using System.Runtime.ExceptionServices;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Routing.Transactions;

/// <summary>A transaction that the application has begun on a context which spans all shards: what it does on another shard than the context's own becomes part of it.</summary>
/// <remarks>
/// A shard takes part from its first command on, by a transaction of the same isolation on its connection, in which all further commands of the context run. Savepoints are those of all shards. Shards
/// that have only read are committed by themselves, and if but one has written, that one as well; otherwise all are committed in two phases. Several shards may come in at once, as a query over
/// several does; apart from that not thread-safe, like the context.
/// </remarks>
internal sealed class SpanningTransaction(ContextShards shards, PositionedTransaction home)
{
    private readonly SemaphoreSlim _gate = new(1);
    private readonly List<Participant> _enlisted = [];
    private readonly List<string> _savepoints = [];
    private Participant? _own;

    // How many savepoints there were when the own shard's part was set up.
    private int _ownSavepoints;
    private bool _isLost;

    /// <summary>Gets the transaction that the application has.</summary>
    public PositionedTransaction Home => home;

    /// <summary>Gets whether no other shard takes part, and none did whose part is lost.</summary>
    public bool IsAlone => _enlisted.Count == 0 && !_isLost;

    /// <summary>Lets a shard take part, unless it does.</summary>
    /// <param name="router">The router of the shard.</param>
    /// <param name="async">Whether to wait asynchronously.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="InvalidOperationException">The transaction could not be committed before.</exception>
    public async ValueTask EnlistAsync(ReadRouter router, bool async, CancellationToken cancellationToken)
    {
        if (async)
        {
            await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        else
        {
            _gate.Wait(cancellationToken);
        }

        try
        {
            RefuseLost();
            if (router == home.Router || _enlisted.Exists(p => p.Transaction.Router == router))
            {
                return;
            }

            await SetUpOwnAsync(async, cancellationToken).ConfigureAwait(false);
            var isolation = home.Isolation;
            var transaction = (PositionedTransaction)(async
                ? await router.Connection.BeginTransactionAsync(isolation, cancellationToken).ConfigureAwait(false)
                : router.Connection.BeginTransaction(isolation));
            try
            {
                var participant = new Participant(shards, transaction);
                await participant.SetUpAsync(locksCopies: false, async, cancellationToken).ConfigureAwait(false);
                foreach (var name in _savepoints)
                {
                    await CreateSavepointAsync(transaction, name, async, cancellationToken).ConfigureAwait(false);
                }

                _enlisted.Add(participant);
            }
            catch
            {
                await Synchrony.DisposeAsync(transaction, async).ConfigureAwait(false);
                throw;
            }
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Lets the context's own shard take part, which otherwise does when the first other one comes in: not while a command runs on it.</summary>
    /// <param name="async">Whether to wait asynchronously.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async ValueTask SetUpOwnAsync(bool async, CancellationToken cancellationToken)
    {
        if (_own is null)
        {
            var own = new Participant(shards, home);
            await own.SetUpAsync(locksCopies: false, async, cancellationToken).ConfigureAwait(false);
            (_own, _ownSavepoints) = (own, _savepoints.Count);
        }
    }

    /// <summary>Locks the copies of reference tables on every shard, in the order of their names, all of which take part by then.</summary>
    /// <param name="async">Whether to wait asynchronously.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="InvalidOperationException">The transaction keeps to a snapshot, in which writes that it has waited for are not seen.</exception>
    public async ValueTask LockCopiesAsync(bool async, CancellationToken cancellationToken)
    {
        if (home.Isolation is not (System.Data.IsolationLevel.ReadCommitted or System.Data.IsolationLevel.Unspecified or System.Data.IsolationLevel.ReadUncommitted))
        {
            throw new InvalidOperationException(
                $"A write of a reference table was to be part of a transaction of isolation level {home.Isolation}, whose snapshot does not show what other writers of reference tables have written before. Begin the transaction with IsolationLevel.ReadCommitted.");
        }

        foreach (var participant in Participants())
        {
            await participant.SetUpAsync(locksCopies: true, async, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Commits on all shards that take part.</summary>
    /// <param name="async">Whether to wait asynchronously.</param>
    /// <param name="cancellationToken">Ends the wait, before the decision.</param>
    /// <remarks>A commit that fails, or is cancelled, rolls the other shards back. What the context's own has left can only be rolled back then, for it would be half of the transaction.</remarks>
    /// <inheritdoc cref="DistributedCommit.RunAsync" path="/exception" />
    /// <exception cref="InvalidOperationException">The transaction could not be committed before.</exception>
    public async ValueTask CommitAsync(bool async, CancellationToken cancellationToken)
    {
        RefuseLost();
        _isLost = true;
        try
        {
            var all = Participants();
            var failures = await Synchrony.ForEachAsync(all, p => p.AskAsync(async, cancellationToken), async).ConfigureAwait(false);
            if (failures.Count > 0)
            {
                ExceptionDispatchInfo.Throw(failures[0]);
            }

            var writers = all.FindAll(p => p.HasWritten);
            if (writers.Count > 1 && shards.Database.Options.CommitProtocol == CommitProtocol.TwoPhase)
            {
                DistributedWrite.Require(writers);
            }

            // Of nothing that was written, nothing can be lost behind a commit.
            shards.EndSpanning(this);
            foreach (var reader in all.FindAll(p => !p.HasWritten))
            {
                await CommitAsync(reader, async, cancellationToken).ConfigureAwait(false);
            }

            switch (writers.Count)
            {
                case 0:
                    break;
                case 1:
                    await CommitAsync(writers[0], async, cancellationToken).ConfigureAwait(false);
                    break;
                default:
                    await DistributedWrite.CommitAsync(shards, writers, async, cancellationToken).ConfigureAwait(false);
                    break;
            }
        }
        catch
        {
            await EndAsync(async).ConfigureAwait(false);
            shards.KeepSpanning(this);
            throw;
        }

        await EndAsync(async).ConfigureAwait(false);
    }

    /// <summary>Notes that a shard could not be brought back to where the others are, so that the transaction can only be rolled back.</summary>
    public void Lose() => _isLost = true;

    /// <summary>Sets a savepoint on the other shards, as on the context's own.</summary>
    public async ValueTask CreateSavepointAsync(string name, bool async, CancellationToken cancellationToken)
    {
        foreach (var participant in _enlisted)
        {
            await CreateSavepointAsync(participant.Transaction, name, async, cancellationToken).ConfigureAwait(false);
        }

        _savepoints.Add(name);
    }

    /// <summary>Rolls the other shards back to a savepoint, as the context's own.</summary>
    public async ValueTask RollbackToSavepointAsync(string name, bool async, CancellationToken cancellationToken)
    {
        try
        {
            foreach (var participant in _enlisted)
            {
                if (async)
                {
                    await participant.Transaction.RollbackToSavepointAsync(name, cancellationToken).ConfigureAwait(false);
                }
                else
                {
                    participant.Transaction.RollbackToSavepoint(name);
                }
            }
        }
        catch
        {
            // Some are back there, and others are not.
            Lose();
            throw;
        }

        // It stays, and those behind it are gone.
        if (_savepoints.LastIndexOf(name) is >= 0 and var index)
        {
            _savepoints.RemoveRange(index + 1, _savepoints.Count - index - 1);
            if (_own is not null && _ownSavepoints >= _savepoints.Count)
            {
                // The lock timeout is taken back with all else behind the savepoint.
                await _own.SetUpAsync(locksCopies: false, async, cancellationToken).ConfigureAwait(false);
                _ownSavepoints = _savepoints.Count;
            }
        }
    }

    /// <summary>Releases a savepoint on the other shards, as on the context's own.</summary>
    public async ValueTask ReleaseSavepointAsync(string name, bool async, CancellationToken cancellationToken)
    {
        foreach (var participant in _enlisted)
        {
            if (async)
            {
                await participant.Transaction.ReleaseSavepointAsync(name, cancellationToken).ConfigureAwait(false);
            }
            else
            {
                participant.Transaction.ReleaseSavepoint(name);
            }
        }

        if (_savepoints.LastIndexOf(name) is >= 0 and var index)
        {
            _savepoints.RemoveRange(index, _savepoints.Count - index);
        }
    }

    /// <summary>Ends the transactions of the other shards: what is not committed is rolled back.</summary>
    public async ValueTask EndAsync(bool async)
    {
        shards.EndSpanning(this);
        Participant[] ended = [.. _enlisted];
        _enlisted.Clear();
        await Synchrony.DisposeAllAsync(ended, async).ConfigureAwait(false);
    }

    private void RefuseLost()
    {
        if (_isLost)
        {
            throw new InvalidOperationException(
                "A transaction over several shards was to be gone on with after a failure that has taken a part of it back. Nothing of it is committed, unless the failure said so: roll it back, and repeat all of it.");
        }
    }

    private List<Participant> Participants()
    {
        List<Participant> all = [.. _enlisted];
        if (_own is not null)
        {
            all.Add(_own);
        }

        all.Sort(static (x, y) => string.CompareOrdinal(x.Shard, y.Shard));
        return all;
    }

    private static async ValueTask CommitAsync(Participant participant, bool async, CancellationToken cancellationToken)
    {
        if (async)
        {
            await participant.Transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        }
        else
        {
            participant.Transaction.Commit();
        }
    }

    private static async ValueTask CreateSavepointAsync(PositionedTransaction transaction, string name, bool async, CancellationToken cancellationToken)
    {
        if (async)
        {
            await transaction.CreateSavepointAsync(name, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            transaction.CreateSavepoint(name);
        }
    }
}
