using EfScaling.Consistency;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Npgsql;

namespace EfScaling.Routing.Checks;

/// <summary>Runs single statements of a check on a shard, on its primary or on a replica that the contract allows.</summary>
/// <param name="context">A context that is bound to the shard, whose command timeout counts.</param>
/// <param name="contract">What the rows must be read from.</param>
/// <remarks>On a replica each statement has a transaction of its own, so that none holds back or is ended by what is replayed there.</remarks>
internal sealed class ShardReader(DbContext context, ReadContract contract)
{
    private readonly ReadRouter _router = context.GetService<ReadRouter>();

    /// <summary>Reads the rows of the last result that a command gives.</summary>
    /// <param name="sql">The command.</param>
    /// <param name="read">Takes one row.</param>
    /// <param name="parameters">The values of <c>$1</c> and on.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task ReadAsync(string sql, Action<NpgsqlDataReader> read, IReadOnlyList<object> parameters, CancellationToken cancellationToken)
    {
        if (contract == ReadContract.Primary || _router.Cluster.Options.IsPrimaryAlone)
        {
            await context.Database.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                await ReadAsync((NpgsqlConnection)context.Database.GetDbConnection(), sql, read, parameters, cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                await context.Database.CloseConnectionAsync().ConfigureAwait(false);
            }

            return;
        }

        using var terms = _router.Terms.Enter(contract, null);
        var snapshot = await ReplicaSnapshot.BeginAsync(_router, cancellationToken).ConfigureAwait(false);
        await using (snapshot.ConfigureAwait(false))
        {
            await ReadAsync((NpgsqlConnection)snapshot.Connection.DbConnection, sql, read, parameters, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task ReadAsync(NpgsqlConnection connection, string sql, Action<NpgsqlDataReader> read, IReadOnlyList<object> parameters, CancellationToken cancellationToken)
    {
        var command = new NpgsqlCommand(sql, connection) { CommandTimeout = context.Database.GetCommandTimeout() ?? connection.CommandTimeout };
        await using (command.ConfigureAwait(false))
        {
            foreach (var value in parameters)
            {
                command.Parameters.Add(new NpgsqlParameter { Value = value });
            }

            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                {
                    read(reader);
                }
            }
        }
    }
}
