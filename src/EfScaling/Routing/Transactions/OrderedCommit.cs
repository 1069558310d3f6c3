using EfScaling.Routing.Shards;
using Npgsql;

namespace EfScaling.Routing.Transactions;

/// <summary>Commits the transactions of several shards one after the other, and says what became of each if that does not go well.</summary>
/// <remarks>
/// The first that fails leaves nothing committed, unless its answer is lost. Behind one that is committed the others are committed as far as they can be, so that as few shards
/// as possible lack the write.
/// </remarks>
internal static class OrderedCommit
{
    /// <summary>Commits.</summary>
    /// <param name="participants">The open transactions, in the order of the commits.</param>
    /// <param name="async">Whether to wait asynchronously.</param>
    /// <param name="cancellationToken">Ends the wait, before the first commit.</param>
    /// <exception cref="PartialCommitException">Some are committed, or may be, and others are not.</exception>
    public static async ValueTask RunAsync(IReadOnlyList<Participant> participants, bool async, CancellationToken cancellationToken)
    {
        // Behind the first commit there is no way back, and one that is cancelled leaves nobody knowing what became of it.
        cancellationToken.ThrowIfCancellationRequested();
        var outcome = new Outcome();
        foreach (var participant in participants)
        {
            if (outcome.Ends)
            {
                outcome.NotCommitted.Add(participant.Shard);
                continue;
            }

            try
            {
                if (async)
                {
                    await participant.Transaction.CommitAsync(CancellationToken.None).ConfigureAwait(false);
                }
                else
                {
                    participant.Transaction.Commit();
                }

                outcome.Committed.Add(participant.Shard);
            }
            catch (Exception failure) when (outcome.Takes(participant.Shard, failure))
            {
                // The others may go on, and the exception at the end has it.
            }
        }

        outcome.ThrowIfPartial();
    }

    private sealed class Outcome
    {
        private readonly List<string> _inDoubt = [];
        private Exception? _failure;

        public List<string> Committed { get; } = [];

        public List<string> NotCommitted { get; } = [];

        // Nothing is certainly committed, and so nothing more is to be.
        public bool Ends => _failure is not null && Committed.Count == 0;

        public bool Takes(string shard, Exception failure)
        {
            if (Committed.Count == 0 && !CommitDoubt.RemainsAfter(failure))
            {
                return false;
            }

            // Only the server's own refusal is certain: an interceptor of the application may fail behind the commit.
            _failure ??= failure;
            (failure is PostgresException && !CommitDoubt.RemainsAfter(failure) ? NotCommitted : _inDoubt).Add(shard);
            return true;
        }

        public void ThrowIfPartial()
        {
            if (_failure is not null)
            {
                throw new PartialCommitException(
                    $"A write was to be committed on several shards. It is committed on {Names(Committed)}, not on {Names(NotCommitted)}, and nobody knows about {Names(_inDoubt)}. "
                    + "Look at the rows and bring them into line by a context of each shard: CreateDbContextOnShard(name). With prepared transactions on all servers (max_prepared_transactions) it would be committed on all shards or on none.",
                    Committed,
                    NotCommitted,
                    _inDoubt,
                    _failure);
            }
        }

        private static string Names(List<string> shards) => shards.Count == 0 ? "none" : string.Join(", ", shards.Select(s => $"'{s}'"));
    }
}
