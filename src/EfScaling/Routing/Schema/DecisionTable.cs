using EfScaling.Routing.Transactions;
using Npgsql;

namespace EfScaling.Routing.Schema;

/// <summary>Makes the tables in which a shard keeps what is decided about transactions over several shards, and how far sagas are.</summary>
/// <remarks>Under the lock of the schema.</remarks>
internal static class DecisionTable
{
    private const string CreateSql = $"{DecisionSql.Create};\n{SagaTable.Create}";

    /// <summary>Creates it if it is missing. A role that may not create it leaves that to one that may: <c>EnsureShardTransactionsCreatedAsync</c>.</summary>
    public static void Create(SchemaLock held)
    {
        using var command = held.Command(CreateSql);
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
    public static async Task CreateAsync(SchemaLock held, CancellationToken cancellationToken)
    {
        try
        {
            await CreateOrFailAsync(held, cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.InsufficientPrivilege)
        {
            // Transactions over several shards say that it is missing.
        }
    }

    /// <summary>Creates it if it is missing.</summary>
    /// <exception cref="PostgresException">The role may not.</exception>
    public static async Task CreateOrFailAsync(SchemaLock held, CancellationToken cancellationToken)
    {
        var command = held.Command(CreateSql);
        await using (command.ConfigureAwait(false))
        {
            await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }
    }
}
