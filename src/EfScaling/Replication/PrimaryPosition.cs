using System.Data.Common;
using System.Transactions;
using EfScaling.Consistency;
using EfScaling.Diagnostics;
using EfScaling.Topology;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace EfScaling.Replication;

/// <summary>Asks the primary how far its log has grown, out of the turn of the monitor.</summary>
/// <remarks>
/// Thread-safe. Callers that come while a question is under way share the next one. A data source of the application would make the connection part of a
/// transaction around the caller, which could then not be committed without being prepared; so the question is asked outside of it.
/// </remarks>
internal sealed class PrimaryPosition(ClusterPicture picture, Node first, ReplicaOptions options, TimeProvider clock, ILogger logger)
{
    private readonly Lock _lock = new();
    private (Moment AskedAt, Task<ServerPosition?> Answer) _asking = (Moment.Never, Task.FromResult<ServerPosition?>(null));

    /// <summary>Asks now.</summary>
    /// <returns><see langword="null"/> if there is no primary, or it does not answer.</returns>
    public ServerPosition? Ask()
    {
        var node = Primary;
        using var outside = new TransactionScope(TransactionScopeOption.Suppress, TransactionScopeAsyncFlowOption.Enabled);
        try
        {
            using var connection = node.DataSource.OpenConnection();
            using var command = CommandOn(connection);
            var askedAt = Moment.Now(clock);
            using var reader = command.ExecuteReader();
            return reader.Read() ? Take(node, reader, askedAt) : null;
        }
        catch (DbException exception)
        {
            return NoAnswer(node, exception);
        }
    }

    /// <summary>Waits for an answer to a question asked after a moment.</summary>
    /// <returns><see langword="null"/> if there is no primary, or it does not answer.</returns>
    public Task<ServerPosition?> AskAsync(Moment moment, CancellationToken cancellationToken)
    {
        Task<ServerPosition?> answer;
        lock (_lock)
        {
            if (_asking.AskedAt < moment || _asking.Answer.IsCompleted)
            {
                _asking = (Moment.Now(clock), BeginAsking());
            }

            answer = _asking.Answer;
        }

        // The question goes on without this caller: others wait for the same answer.
        return answer.WaitAsync(cancellationToken);
    }

    // Before the first measurement, the server that the context names first is the best guess.
    private Node Primary => picture.Current.Primary?.Node ?? first;

    // Nothing of one caller's flow may reach a question that others wait for.
    private Task<ServerPosition?> BeginAsking()
    {
        if (ExecutionContext.IsFlowSuppressed())
        {
            return Task.Run(AskAsync);
        }

        using (ExecutionContext.SuppressFlow())
        {
            return Task.Run(AskAsync);
        }
    }

    private async Task<ServerPosition?> AskAsync()
    {
        var node = Primary;
        try
        {
            var connection = await node.DataSource.OpenConnectionAsync().ConfigureAwait(false);
            await using (connection.ConfigureAwait(false))
            {
                var command = CommandOn(connection);
                await using (command.ConfigureAwait(false))
                {
                    var askedAt = Moment.Now(clock);
                    var reader = await command.ExecuteReaderAsync().ConfigureAwait(false);
                    await using (reader.ConfigureAwait(false))
                    {
                        return await reader.ReadAsync().ConfigureAwait(false) ? Take(node, reader, askedAt) : null;
                    }
                }
            }
        }
        catch (DbException exception)
        {
            return NoAnswer(node, exception);
        }
    }

    private NpgsqlCommand CommandOn(NpgsqlConnection connection) =>
        new(ReplicaProbe.Sql, connection) { CommandTimeout = Math.Max(1, (int)options.ProbeTimeout.TotalSeconds) };

    private ServerPosition? Take(Node node, NpgsqlDataReader reader, Moment askedAt)
    {
        var sample = ReplicaProbe.ReadSample(reader, askedAt, Moment.Now(clock));
        picture.Report(node, sample);
        return sample.Role == NodeRole.Primary ? new ServerPosition(sample.Identity, sample.Position, askedAt) : null;
    }

    private ServerPosition? NoAnswer(Node node, DbException exception)
    {
        logger.PositionUnknown(node.Name, NodeError.Describe(exception));
        return null;
    }
}
