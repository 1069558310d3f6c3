using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace EfScaling.Routing.Scatter;

/// <summary>Finds out whether the databases of shards order texts without a collation of their own by bytes. Asked once for each shard and process.</summary>
internal static class TextOrder
{
    // The provider of locales has a column of its own only since PostgreSQL 15.
    private const string Question =
        "SELECT coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') = 'b' OR (coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') = 'c' AND d.datcollate IN ('C', 'POSIX', 'C.UTF-8', 'C.utf8')) FROM pg_database AS d WHERE d.datname = current_database()";

    /// <summary>Returns whether all of some shards do.</summary>
    public static bool IsByBytes(Shards.ContextShards shards, IEnumerable<ScatterTarget> targets) =>
        targets.All(t => shards.Database.OrdersByBytes.TryGetValue(t.Router.ShardName!, out var known) ? known : Ask(shards, t.Router));

    /// <inheritdoc cref="IsByBytes" />
    public static async ValueTask<bool> IsByBytesAsync(Shards.ContextShards shards, IEnumerable<ScatterTarget> targets, CancellationToken cancellationToken)
    {
        foreach (var target in targets)
        {
            if (!(shards.Database.OrdersByBytes.TryGetValue(target.Router.ShardName!, out var known) ? known : await AskAsync(shards, target.Router, cancellationToken).ConfigureAwait(false)))
            {
                return false;
            }
        }

        return true;
    }

    // The primary may not answer where replicas do, and a shard may be left out: then the order is not taken for granted, and the next query asks again.
    private static bool Ask(Shards.ContextShards shards, ReadRouter router)
    {
        var connection = router.Connection;
        try
        {
            connection.Open();
            try
            {
                using var command = connection.DbConnection.CreateCommand();
                (command.CommandText, command.Transaction) = (Question, connection.CurrentTransaction?.GetDbTransaction());
                return shards.Database.OrdersByBytes[router.ShardName!] = command.ExecuteScalar() is true;
            }
            finally
            {
                connection.Close();
            }
        }
        catch (NpgsqlException)
        {
            return false;
        }
    }

    private static async Task<bool> AskAsync(Shards.ContextShards shards, ReadRouter router, CancellationToken cancellationToken)
    {
        var connection = router.Connection;
        try
        {
            await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                var command = connection.DbConnection.CreateCommand();
                await using (command.ConfigureAwait(false))
                {
                    (command.CommandText, command.Transaction) = (Question, connection.CurrentTransaction?.GetDbTransaction());
                    return shards.Database.OrdersByBytes[router.ShardName!] = await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is true;
                }
            }
            finally
            {
                await connection.CloseAsync().ConfigureAwait(false);
            }
        }
        catch (NpgsqlException)
        {
            return false;
        }
    }
}
