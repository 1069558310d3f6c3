using EfScaling.Diagnostics;
using EfScaling.Replication;
using EfScaling.Routing.Scatter;
using EfScaling.Routing.Shards;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace EfScaling.Routing.Fallback;

/// <summary>One run of a query on the fallback coordinator.</summary>
/// <param name="coordinator">The coordinator.</param>
/// <param name="shards">The shards that the query concerns.</param>
/// <param name="refusal">Why they cannot answer it together.</param>
/// <param name="plans">The query.</param>
/// <param name="command">How it is run.</param>
/// <remarks>Never tried again here: what fails there is as good as refused. Not thread-safe, like the context.</remarks>
internal sealed class CoordinatorRead(FallbackCoordinator coordinator, ScatterShards shards, ScatterRefusal refusal, ScatterPlans plans, RelationalCommandParameterObject command)
{
    /// <summary>Runs the query.</summary>
    /// <param name="async">Whether to wait asynchronously.</param>
    /// <param name="cancellationToken">Ends the query.</param>
    /// <exception cref="CrossShardQueryNotSupportedException">The coordinator does not answer.</exception>
    /// <exception cref="InvalidOperationException">It does not have what the query reads.</exception>
    public async ValueTask<RelationalDataReader> RunAsync(bool async, CancellationToken cancellationToken)
    {
        var connection = coordinator.Connection;
        connection.CommandTimeout = command.Connection.CommandTimeout;
        try
        {
            await OpenAsync(connection, async, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is NpgsqlException or TimeoutException)
        {
            throw Unanswered(failure);
        }

        try
        {
            var run = plans.Whole.ForCoordinator(coordinator.Home);
            var rows = async ? await run.ReadOnAsync(connection, command, cancellationToken).ConfigureAwait(false) : run.ReadOn(connection, command);
            coordinator.NoteAnswer();
            Tell();
            return rows;
        }
        catch (PostgresException outdated) when (outdated.SqlState is PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.UndefinedColumn)
        {
            throw new InvalidOperationException(
                $"A query was to run on the fallback coordinator '{coordinator.Name}', which does not have all that it reads ({NodeError.Describe(outdated)}). Call Database.CreateFallbackCoordinatorAsync() after the shards are created, and again after each change of the model; SQL of the application can read tables of the model alone, without system columns.",
                outdated);
        }
        catch (NpgsqlException broken) when (broken.InnerException is not TimeoutException && ShardConnectionException.Of(coordinator.Name, broken) is not null)
        {
            throw Unanswered(broken);
        }
        finally
        {
            // The rows hold it open.
            await CloseAsync(connection, async).ConfigureAwait(false);
        }
    }

    private static async ValueTask OpenAsync(CoordinatorConnection connection, bool async, CancellationToken cancellationToken)
    {
        if (async)
        {
            await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
        }
        else
        {
            connection.Open();
        }
    }

    private static async ValueTask CloseAsync(CoordinatorConnection connection, bool async)
    {
        if (async)
        {
            await connection.CloseAsync().ConfigureAwait(false);
        }
        else
        {
            connection.Close();
        }
    }

    private CrossShardException Unanswered(Exception failure) => shards.Refusal(refusal, $"'{coordinator.Name}' failed ({NodeError.Describe(failure)})", failure);

    private void Tell()
    {
        coordinator.Home.NoteOnCoordinator(coordinator.Name);
        ShardingMeter.CountFallback(refusal.Rule.ToString());
        if (plans.IsFirstTold())
        {
            coordinator.Shards.Logger.QueryOnCoordinator(coordinator.Name, refusal.Rule.ToString());
        }
    }
}
