using System.Globalization;
using System.Transactions;
using Npgsql;

namespace EfScaling.Sharding.Catalog;

/// <summary>Asks the catalog database for the shard maps.</summary>
/// <remarks>Thread-safe. Outside of any transaction around the caller, which has nothing to do with the question.</remarks>
internal sealed class CatalogReader(NpgsqlDataSource source)
{
    /// <summary>Returns the maps.</summary>
    /// <param name="knownEpoch">The epoch that is known already; -1 for none.</param>
    /// <returns><see langword="null"/> if the catalog is still at that epoch.</returns>
    /// <exception cref="NpgsqlException">The catalog does not answer.</exception>
    /// <exception cref="InvalidOperationException">There is no catalog, or one of another version of the library.</exception>
    public CatalogReading? Read(long knownEpoch)
    {
        using var outside = new TransactionScope(TransactionScopeOption.Suppress, TransactionScopeAsyncFlowOption.Enabled);
        using var connection = source.OpenConnection();
        using var command = CommandOn(connection, knownEpoch);
        try
        {
            using var reader = command.ExecuteReader();
            var rows = new Rows();
            while (reader.Read())
            {
                rows.Add(reader);
            }

            return rows.Complete(knownEpoch);
        }
        catch (PostgresException exception) when (IsMissing(exception))
        {
            throw Missing(exception);
        }
    }

    /// <inheritdoc cref="Read" />
    public async Task<CatalogReading?> ReadAsync(long knownEpoch, CancellationToken cancellationToken)
    {
        using var outside = new TransactionScope(TransactionScopeOption.Suppress, TransactionScopeAsyncFlowOption.Enabled);
        var connection = await source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            return await ReadAsync(connection, knownEpoch, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Returns the maps, over an open connection.</summary>
    /// <inheritdoc cref="Read" />
    public static async Task<CatalogReading?> ReadAsync(NpgsqlConnection connection, long knownEpoch, CancellationToken cancellationToken)
    {
        var command = CommandOn(connection, knownEpoch);
        await using (command.ConfigureAwait(false))
        {
            try
            {
                var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
                await using (reader.ConfigureAwait(false))
                {
                    var rows = new Rows();
                    while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                    {
                        rows.Add(reader);
                    }

                    return rows.Complete(knownEpoch);
                }
            }
            catch (PostgresException exception) when (IsMissing(exception))
            {
                throw Missing(exception);
            }
        }
    }

    private static NpgsqlCommand CommandOn(NpgsqlConnection connection, long knownEpoch) => new(CatalogSql.Read, connection)
    {
        Parameters = { new NpgsqlParameter<long> { TypedValue = knownEpoch }, new NpgsqlParameter<int> { TypedValue = CatalogSql.Format } },
    };

    private static bool IsMissing(PostgresException exception) => exception.SqlState is PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.InvalidSchemaName;

    private static InvalidOperationException Missing(PostgresException? exception) => new(
        "The shard maps were to be loaded from the catalog, but the database that UseCatalog(...) names holds none. Call Database.CreateShardCatalogAsync() once, or correct UseCatalog(...).", exception);

    private sealed class Rows
    {
        private readonly List<CatalogMap> _maps = [];
        private (long Id, long Epoch)? _catalog;

        public void Add(NpgsqlDataReader reader)
        {
            var format = reader.GetInt32(0);
            if (format != CatalogSql.Format)
            {
                throw new InvalidOperationException(string.Create(
                    CultureInfo.InvariantCulture,
                    $"The shard catalog has tables of format {format}, and this version of EfScaling knows format {CatalogSql.Format}. {(format > CatalogSql.Format ? "Deploy the newer version of EfScaling here." : "Call Database.CreateShardCatalogAsync() to bring the catalog up to date.")}"));
            }

            _catalog = (reader.GetInt64(1), reader.GetInt64(2));
            if (!reader.IsDBNull(3))
            {
                _maps.Add(CatalogMap.Parse(reader.GetString(3)));
            }
        }

        public CatalogReading? Complete(long knownEpoch) =>
            _catalog is not var (id, epoch) ? throw Missing(null) : epoch == knownEpoch ? null : new CatalogReading(id, epoch, [.. _maps]);
    }
}
