using EfScaling.Routing.Transactions;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace EfScaling.Routing.Schema;

/// <summary>Makes the tables in which a shard keeps what is decided about transactions over several shards, and how far sagas are.</summary>
/// <remarks>On the context's own connection, which is open, under the lock of the schema.</remarks>
internal static class DecisionTable
{
    /// <summary>Creates it if it is missing. A role that may not create it leaves that to one that may: <c>EnsureShardTransactionsCreatedAsync</c>.</summary>
    public static void Create(DbContext context)
    {
        using var command = context.Database.GetDbConnection().CreateCommand();
        command.CommandText = $"{DecisionSql.Create};\n{SagaTable.Create}";
        try
        {
            command.ExecuteNonQuery();
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.InsufficientPrivilege)
        {
            // Transactions over several shards say that it is missing.
        }
    }

    /// <inheritdoc cref="Create" />
    public static async Task CreateAsync(DbContext context, CancellationToken cancellationToken)
    {
        try
        {
            await CreateOrFailAsync(context, cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.InsufficientPrivilege)
        {
            // Transactions over several shards say that it is missing.
        }
    }

    /// <summary>Creates it if it is missing.</summary>
    /// <exception cref="PostgresException">The role may not.</exception>
    public static async Task CreateOrFailAsync(DbContext context, CancellationToken cancellationToken)
    {
        var command = context.Database.GetDbConnection().CreateCommand();
        await using (command.ConfigureAwait(false))
        {
            command.CommandText = $"{DecisionSql.Create};\n{SagaTable.Create}";
            await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }
    }
}
