using System.Data.Common;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Npgsql;

namespace EfScaling.Routing.Schema;

/// <summary>Keeps on each shard which shard maps it was set up with, so that a process with other ones is found.</summary>
/// <remarks>
/// A higher version takes the place of a lower one; of one version there is one map. A catalog keeps its own record. A role that may not write here records nothing, and has
/// created nothing either.
/// </remarks>
internal static class SeenShardMap
{
    // Only what is missing: whoever may not create a schema is refused even one that exists.
    private const string CreateSql =
        """
        DO $$
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'efscaling') THEN
                CREATE SCHEMA efscaling;
            END IF;
            IF NOT EXISTS (SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = 'efscaling' AND c.relname = 'shard_map_seen') THEN
                CREATE TABLE efscaling.shard_map_seen (
                    map text PRIMARY KEY, version bigint NOT NULL, fingerprint text NOT NULL, seen_at timestamp with time zone NOT NULL DEFAULT clock_timestamp());
            END IF;
        END
        $$
        """;

    private const string RecordSql =
        """
        INSERT INTO efscaling.shard_map_seen AS seen (map, version, fingerprint) VALUES ($1, $2, $3)
        ON CONFLICT (map) DO UPDATE SET
            version = greatest(seen.version, excluded.version),
            fingerprint = CASE WHEN seen.version < excluded.version THEN excluded.fingerprint ELSE seen.fingerprint END,
            seen_at = CASE WHEN seen.version < excluded.version THEN clock_timestamp() ELSE seen.seen_at END
        RETURNING version, fingerprint
        """;

    /// <summary>The maps that a shard was set up with: the name of each, its version and its fingerprint.</summary>
    public const string ReadSql = "SELECT map, version, fingerprint FROM efscaling.shard_map_seen";

    /// <summary>Records the maps of a context on the shard that it is bound to.</summary>
    /// <exception cref="InvalidOperationException">The shard was set up with others.</exception>
    public static void Record(DbContext context, SchemaLock held)
    {
        try
        {
            using (var create = held.Command(CreateSql))
            {
                create.ExecuteNonQuery();
            }

            foreach (var (name, map) in MapsOf(context))
            {
                using var command = Command(held, name, map);
                using var reader = command.ExecuteReader();
                reader.Read();
                Check(name, map, reader);
            }
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.InsufficientPrivilege)
        {
            // CheckShardsAsync says that there is no record.
        }
    }

    /// <inheritdoc cref="Record" />
    public static async Task RecordAsync(DbContext context, SchemaLock held, CancellationToken cancellationToken)
    {
        try
        {
            var create = held.Command(CreateSql);
            await using (create.ConfigureAwait(false))
            {
                await create.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            }

            foreach (var (name, map) in MapsOf(context))
            {
                var command = Command(held, name, map);
                await using (command.ConfigureAwait(false))
                {
                    var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
                    await using (reader.ConfigureAwait(false))
                    {
                        await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
                        Check(name, map, reader);
                    }
                }
            }
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.InsufficientPrivilege)
        {
            // CheckShardsAsync says that there is no record.
        }
    }

    /// <summary>Says why a map is not the one that a shard was set up with; <see langword="null"/> if it is, or comes after it.</summary>
    public static string? DifferenceOf(string name, ShardMap map, long version, string fingerprint)
    {
        var title = name.Length == 0 ? "the shard map" : $"the shard map '{name}'";
        return version > map.Version
            ? FormattableString.Invariant($"it was set up with version {version} of {title}, and this process has version {map.Version}. Give the process the newer settings of UseSharding.")
            : version == map.Version && fingerprint != map.Fingerprint
                ? FormattableString.Invariant($"it was set up with another version {version} of {title} than this process has. Use the same settings of UseSharding in every process; where keys are to move, move their rows and give the new map a higher version by UseMap(...).")
                : null;
    }

    /// <summary>Returns the maps of a context that are recorded.</summary>
    public static IEnumerable<KeyValuePair<string, ShardMap>> MapsOf(DbContext context)
    {
        // A catalog need not be there yet.
        var database = context.GetService<ReadRouter>().Shards!.Database;
        return database.Catalog is null ? database.Picture.Maps.OrderBy(m => m.Key, StringComparer.Ordinal) : [];
    }

    private static NpgsqlCommand Command(SchemaLock held, string name, ShardMap map)
    {
        var command = held.Command(RecordSql);
        command.Parameters.Add(new NpgsqlParameter { Value = name });
        command.Parameters.Add(new NpgsqlParameter { Value = map.Version });
        command.Parameters.Add(new NpgsqlParameter { Value = map.Fingerprint });
        return command;
    }

    private static void Check(string name, ShardMap map, DbDataReader reader)
    {
        if (DifferenceOf(name, map, reader.GetInt64(0), reader.GetString(1)) is { } difference)
        {
            throw new InvalidOperationException($"The schema is there, and {difference}");
        }
    }
}
