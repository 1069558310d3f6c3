using Npgsql;

namespace EfScaling.Routing.Shards;

/// <summary>A command failed because of the connection to its shard, or because it took too long there. Keys of other shards are not concerned.</summary>
/// <remarks>An execution strategy that retries treats it as it would treat the inner exception.</remarks>
public sealed class ShardConnectionException : NpgsqlException
{
    private readonly NpgsqlException _inner;

    /// <param name="shard">The name of the shard.</param>
    /// <param name="inner">What the driver says.</param>
    internal ShardConnectionException(string shard, NpgsqlException inner)
        : base($"A command failed on the shard '{shard}', and other shards are not concerned: {inner.Message}", inner) => (Shard, _inner) = (shard, inner);

    /// <summary>Gets the name of the shard.</summary>
    public string Shard { get; }

    /// <inheritdoc />
    public override bool IsTransient => _inner.IsTransient;

    /// <inheritdoc />
    public override string? SqlState => _inner.SqlState;

    /// <summary>Names the shard of a failure; <see langword="null"/> if the failure is that of the command itself.</summary>
    /// <param name="shard">The name of the shard; <see langword="null"/> without sharding.</param>
    /// <param name="failure">The failure.</param>
    internal static ShardConnectionException? Of(string? shard, Exception? failure) => (shard, failure) switch
    {
        (null, _) or (_, ShardConnectionException) => null,
        (_, PostgresException refused) => refused.SqlState is PostgresErrorCodes.TooManyConnections or PostgresErrorCodes.InvalidCatalogName
            || refused.SqlState.StartsWith("57P", StringComparison.Ordinal)
            || refused.SqlState.StartsWith("08", StringComparison.Ordinal)
                ? new ShardConnectionException(shard!, refused)
                : null,
        (_, NpgsqlException broken) => new ShardConnectionException(shard!, broken),
        _ => null,
    };
}
