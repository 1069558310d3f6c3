using System.Collections.Frozen;
using EfScaling.Consistency;
using Npgsql;
using Npgsql.Replication;
using Npgsql.Replication.PgOutput;
using Npgsql.Replication.PgOutput.Messages;
using NpgsqlTypes;

namespace EfScaling.Replication.ChangeStream;

/// <summary>Reads one replication connection: collects the tables of each transaction, hands them on after its commit, and then confirms it.</summary>
/// <remarks>The server sends transactions in the order of their commits, each as a whole, and none that was rolled back. Not thread-safe.</remarks>
internal sealed class ChangeReader : IAsyncDisposable
{
    private readonly LogicalReplicationConnection _connection;
    private readonly ChangeServer _server;
    private readonly ChangeStreamOptions _options;
    private readonly TimeProvider _clock;
    private readonly Dictionary<uint, HashSet<ChangedTable>> _relations = [];
    private readonly HashSet<ChangedTable> _changed = [];
    private Task _tick = Task.CompletedTask;
    private bool _hasBegun;
    private bool _isInTransaction;
    private long _confirmed;

    public ChangeReader(ChangeServer server, ChangeStreamOptions options, TimeProvider clock)
    {
        _server = server;
        _options = options;
        _clock = clock;
        _connection = new LogicalReplicationConnection(server.ConnectionString)
        {
            WalReceiverStatusInterval = options.ConfirmInterval,
            WalReceiverTimeout = options.SilenceTimeout,
        };
    }

    /// <summary>Gets the position up to which everything was handed on. Thread-safe.</summary>
    public WalPosition Confirmed => new(unchecked((ulong)Interlocked.Read(ref _confirmed)));

    /// <summary>Connects.</summary>
    public Task OpenAsync(CancellationToken cancellationToken) => _connection.Open(cancellationToken);

    /// <summary>Reads until the connection breaks, the consumer fails or the token says so; never completes otherwise.</summary>
    /// <param name="onBegun">Called once, when the server has begun to send.</param>
    /// <param name="consumer">Gets the changes of one transaction and the time since its commit as far as the server knows; called one at a time.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="PostgresException">The server refused, with 55006 when somebody else reads the slot.</exception>
    public async Task RunAsync(Action onBegun, Func<CommittedChanges, TimeSpan, Task> consumer, CancellationToken cancellationToken)
    {
        var options = new PgOutputReplicationOptions(_options.Publication, PgOutputProtocolVersion.V1);
        var messages = _connection.StartReplication(new PgOutputReplicationSlot(_options.Slot), options, cancellationToken).GetAsyncEnumerator(cancellationToken);
        await using (messages.ConfigureAwait(false))
        {
            while (await NextAsync(messages, onBegun).ConfigureAwait(false))
            {
                Begin(onBegun);
                await TakeAsync(messages.Current, consumer, cancellationToken).ConfigureAwait(false);
            }
        }

        throw new NpgsqlException($"The server '{_server.Node}' ended the replication.");
    }

    /// <inheritdoc />
    public ValueTask DisposeAsync() => _connection.DisposeAsync();

    // A slot that is confirmed only by changes would keep the log of everything else that the server writes. Between transactions, whatever was received is
    // handed on: the server announces a position only after it has sent what was committed before.
    private async ValueTask<bool> NextAsync(IAsyncEnumerator<PgOutputReplicationMessage> messages, Action onBegun)
    {
        var next = messages.MoveNextAsync();
        if (next.IsCompleted || _isInTransaction)
        {
            return await next.ConfigureAwait(false);
        }

        var waiting = next.AsTask();
        while (true)
        {
            // The received position first: once a message has been parsed beyond it, the wait is over.
            var received = _connection.LastReceivedLsn;
            if (waiting.IsCompleted)
            {
                return await waiting.ConfigureAwait(false);
            }

            // The server begins with a sign of life that has a position.
            if ((ulong)received > 0)
            {
                Begin(onBegun);
                Confirm(received);
            }

            // One pause for many messages; else each would leave a timer behind.
            _tick = _tick.IsCompleted ? Task.Delay(_options.ConfirmInterval, _clock, CancellationToken.None) : _tick;
            await Task.WhenAny(waiting, _tick).ConfigureAwait(false);
        }
    }

    private async Task TakeAsync(PgOutputReplicationMessage message, Func<CommittedChanges, TimeSpan, Task> consumer, CancellationToken cancellationToken)
    {
        switch (message)
        {
            case BeginMessage:
                _isInTransaction = true;
                _changed.Clear();
                break;
            case RelationMessage relation:
                await NameAsync(relation, cancellationToken).ConfigureAwait(false);
                break;
            case InsertMessage insert:
                Add(insert.Relation);
                break;
            case UpdateMessage update:
                Add(update.Relation);
                break;
            case DeleteMessage delete:
                Add(delete.Relation);
                break;
            case TruncateMessage truncate:
                foreach (var relation in truncate.Relations)
                {
                    Add(relation);
                }

                break;
            case CommitMessage commit:
                await CommitAsync(commit, consumer).ConfigureAwait(false);
                break;
        }
    }

    private async Task CommitAsync(CommitMessage commit, Func<CommittedChanges, TimeSpan, Task> consumer)
    {
        // Npgsql reuses its messages.
        var end = commit.TransactionEndLsn;
        if (_changed.Count > 0)
        {
            var sinceCommit = commit.ServerClock - commit.TransactionCommitTimestamp;
            await consumer(new CommittedChanges(_changed.ToFrozenSet()), sinceCommit).ConfigureAwait(false);
        }

        _isInTransaction = false;
        Confirm(end);
    }

    private void Begin(Action onBegun)
    {
        if (!_hasBegun)
        {
            _hasBegun = true;
            onBegun();
        }
    }

    private void Confirm(NpgsqlLogSequenceNumber position)
    {
        if ((ulong)position > Confirmed.Value)
        {
            Interlocked.Exchange(ref _confirmed, unchecked((long)(ulong)position));
            _connection.SetReplicationStatus(position);
        }
    }

    // Sent before the first change of a table on this connection, and again when its definition has changed. A former name or parent stays: changes from
    // before are decoded with the definition of their time, but the parents are those of now.
    private async Task NameAsync(RelationMessage relation, CancellationToken cancellationToken)
    {
        if (!_relations.TryGetValue(relation.RelationId, out var names))
        {
            _relations[relation.RelationId] = names = [];
        }

        names.Add(new ChangedTable(relation.Namespace, relation.RelationName));
        names.UnionWith(await _server.AncestorsAsync(relation.RelationId, cancellationToken).ConfigureAwait(false));
    }

    private void Add(RelationMessage relation) => _changed.UnionWith(_relations[relation.RelationId]);
}
