using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace EfScaling.Routing.Shards;

/// <summary>Commits the transactions of several shards one after the other, and says what became of each if that does not go well.</summary>
/// <remarks>
/// The first that fails leaves nothing committed, unless its answer is lost. Behind one that is committed the others are committed as far as they can be, so that as few shards
/// as possible lack the write.
/// </remarks>
internal static class OrderedCommit
{
    /// <summary>Commits.</summary>
    /// <param name="transactions">The open transactions with the shards that they are open on, in the order of the commits.</param>
    /// <exception cref="PartialCommitException">Some are committed, or may be, and others are not.</exception>
    public static void Run(IReadOnlyList<(string Shard, IDbContextTransaction Transaction)> transactions)
    {
        var outcome = new Outcome();
        foreach (var (shard, transaction) in transactions)
        {
            if (outcome.Ends)
            {
                outcome.NotCommitted.Add(shard);
                continue;
            }

            try
            {
                transaction.Commit();
                outcome.Committed.Add(shard);
            }
            catch (Exception failure) when (outcome.Takes(shard, failure))
            {
                // The others may go on, and the exception at the end has it.
            }
        }

        outcome.ThrowIfPartial();
    }

    /// <inheritdoc cref="Run" />
    public static async Task RunAsync(IReadOnlyList<(string Shard, IDbContextTransaction Transaction)> transactions, CancellationToken cancellationToken)
    {
        // Behind the first commit there is no way back, and one that is cancelled leaves nobody knowing what became of it.
        cancellationToken.ThrowIfCancellationRequested();
        var outcome = new Outcome();
        foreach (var (shard, transaction) in transactions)
        {
            if (outcome.Ends)
            {
                outcome.NotCommitted.Add(shard);
                continue;
            }

            try
            {
                await transaction.CommitAsync(CancellationToken.None).ConfigureAwait(false);
                outcome.Committed.Add(shard);
            }
            catch (Exception failure) when (outcome.Takes(shard, failure))
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
                    $"A write of a reference table was to be committed on every shard. It is committed on {Names(Committed)}, not on {Names(NotCommitted)}, and nobody knows about {Names(_inDoubt)}. "
                    + "Look at the copies and bring them into line by ExecuteUpdateAsync or ExecuteSqlAsync on a context of each shard: CreateDbContextOnShard(name).",
                    Committed,
                    NotCommitted,
                    _inDoubt,
                    _failure);
            }
        }

        private static string Names(List<string> shards) => shards.Count == 0 ? "none" : string.Join(", ", shards.Select(s => $"'{s}'"));
    }
}
