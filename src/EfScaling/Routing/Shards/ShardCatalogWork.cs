using System.Globalization;
using System.Transactions;
using EfScaling.Diagnostics;
using EfScaling.Routing.Transactions;
using EfScaling.Sharding;
using EfScaling.Sharding.Catalog;
using Npgsql;
using NpgsqlTypes;

namespace EfScaling.Routing.Shards;

/// <summary>Makes the catalog, and changes maps in it.</summary>
/// <remarks>
/// <para>A change goes by steps, each of which can be done again, so that one which was interrupted is completed by doing all of them:</para>
/// <list type="number">
/// <item>The catalog notes the map to come as pending.</item>
/// <item>Fence: on each shard concerned, the rows of ownership are deleted under locks that writers hold shared until they commit. From then on every read and
/// write of these buckets is refused, and repeated by its sender.</item>
/// <item>The caller moves the rows.</item>
/// <item>Give: the shards that are to own the buckets get rows of ownership with the new version, which nobody asks for yet.</item>
/// <item>The catalog publishes the map and tells of it.</item>
/// </list>
/// </remarks>
internal sealed class ShardCatalogWork(ContextShards shards)
{
    // Each lock takes a place in the server's table of locks, of which by default there are some thousands for all.
    private const int BucketsAtOnce = 256;

    // Less than PostgreSQL's deadlock_timeout: of a fence and a writer that wait for each other, the fence must give way.
    private const string LockTimeout = "SET LOCAL lock_timeout = '500ms'";

    private static readonly TimeSpan _pauseBetweenFences = TimeSpan.FromMilliseconds(200);

    private ShardedDatabase Database => shards.Database;

    private ShardCatalog Catalog => Database.Catalog!;

    /// <summary>Makes the catalog and the tables of ownership where they are missing, and registers the maps of the options that it does not have.</summary>
    /// <exception cref="InvalidOperationException">A change is under way, a database is another shard already, or the catalog is of another version.</exception>
    public Task CreateAsync(CancellationToken cancellationToken) => AloneAsync(
        async catalog =>
        {
            await ExecuteAsync(catalog, CatalogSql.CreateCatalog, cancellationToken).ConfigureAwait(false);
            await ExecuteAsync(
                catalog,
                "INSERT INTO efscaling.shard_catalog (format, id, epoch) VALUES ($1, $2, 1) ON CONFLICT DO NOTHING",
                cancellationToken,
                new NpgsqlParameter<int> { TypedValue = CatalogSql.Format },
                new NpgsqlParameter<long> { TypedValue = Random.Shared.NextInt64(1, long.MaxValue) }).ConfigureAwait(false);
            var before = await ReadAsync(catalog, cancellationToken).ConfigureAwait(false);
            await RefuseWhilePendingAsync(catalog, "CreateShardCatalogAsync", cancellationToken).ConfigureAwait(false);
            CatalogMap[] missing = [.. Database.Configured.Maps.Where(m => before.Maps.All(k => k.Name != m.Key)).Select(m => CatalogMap.First(m.Key, m.Value))];

            // The shards first: what the catalog has is in use at once.
            foreach (var shard in Database.Options.Shards)
            {
                await InstallAsync(shard.Name, before.Id, before.Maps.Concat(missing), cancellationToken).ConfigureAwait(false);
            }

            if (missing.Length > 0)
            {
                await PublishAsync(catalog, missing, cancellationToken).ConfigureAwait(false);
            }

            return true;
        },
        cancellationToken);

    /// <summary>Changes a map.</summary>
    /// <param name="name">The name of the map.</param>
    /// <param name="map">The map to come, of a higher version.</param>
    /// <param name="whileFenced">Moves the rows.</param>
    /// <param name="cancellationToken">Ends the change where it stands; it stays pending.</param>
    /// <exception cref="ArgumentException">The map cannot follow the present one.</exception>
    /// <exception cref="InvalidOperationException">Another change is pending.</exception>
    public Task ChangeAsync(string name, ShardMap map, Func<ShardMapChange, CancellationToken, Task> whileFenced, CancellationToken cancellationToken) => AloneAsync(
        async catalog =>
        {
            var before = await EntryAsync(catalog, name, cancellationToken).ConfigureAwait(false);
            await RefuseWhilePendingAsync(catalog, "ChangeShardMapAsync", cancellationToken).ConfigureAwait(false);
            var change = ChangeOf(before, map);
            await ExecuteAsync(
                catalog,
                "UPDATE efscaling.shard_map SET pending = $2 WHERE name = $1",
                cancellationToken,
                new NpgsqlParameter<string> { TypedValue = name },
                new NpgsqlParameter<string> { NpgsqlDbType = NpgsqlDbType.Jsonb, TypedValue = change.After.ToJson().ToJsonString() }).ConfigureAwait(false);
            await CompleteAsync(catalog, change, whileFenced, cancellationToken).ConfigureAwait(false);
            return true;
        },
        cancellationToken);

    /// <summary>Completes a change that was interrupted.</summary>
    /// <param name="name">The name of the map.</param>
    /// <param name="whileFenced">Moves the rows, of which some may be moved already.</param>
    /// <param name="cancellationToken">Ends the change where it stands; it stays pending.</param>
    /// <returns><see langword="false"/> if none was.</returns>
    public Task<bool> ResumeAsync(string name, Func<ShardMapChange, CancellationToken, Task> whileFenced, CancellationToken cancellationToken) => AloneAsync(
        async catalog =>
        {
            var before = await EntryAsync(catalog, name, cancellationToken).ConfigureAwait(false);
            if (await PendingAsync(catalog, name, cancellationToken).ConfigureAwait(false) is not { } pending)
            {
                return false;
            }

            var map = pending.Map ?? Database.Configured.Maps[name];
            if (map.Fingerprint != pending.Fingerprint)
            {
                throw new InvalidOperationException(
                    $"The pending change of shard map '{name}' leads to a map of the application's own that this process does not have. Resume it in a process whose options make that map.");
            }

            await CompleteAsync(catalog, ChangeOf(before, map), whileFenced, cancellationToken).ConfigureAwait(false);
            return true;
        },
        cancellationToken);

    // One at a time, in whatever process.
    private async Task<bool> AloneAsync(Func<NpgsqlConnection, Task<bool>> work, CancellationToken cancellationToken)
    {
        using var outside = new TransactionScope(TransactionScopeOption.Suppress, TransactionScopeAsyncFlowOption.Enabled);
        var catalog = await Catalog.Source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using (catalog.ConfigureAwait(false))
        {
            await ExecuteAsync(catalog, CatalogSql.Lock, cancellationToken).ConfigureAwait(false);
            try
            {
                return await work(catalog).ConfigureAwait(false);
            }
            finally
            {
                // A connection that goes back to its pool keeps its locks until it is used again.
                if (catalog.FullState.HasFlag(System.Data.ConnectionState.Open))
                {
                    await ExecuteAsync(catalog, CatalogSql.Unlock, CancellationToken.None).ConfigureAwait(false);
                }
            }
        }
    }

    private async Task CompleteAsync(NpgsqlConnection catalog, ShardMapChange change, Func<ShardMapChange, CancellationToken, Task> whileFenced, CancellationToken cancellationToken)
    {
        var reading = await ReadAsync(catalog, cancellationToken).ConfigureAwait(false);
        foreach (var shard in change.Shards)
        {
            await RequireInstalledAsync(shard, reading.Id, cancellationToken).ConfigureAwait(false);
        }

        Report(change, "pending");
        foreach (var shard in change.Shards)
        {
            await FenceAsync(shard, change, cancellationToken).ConfigureAwait(false);
        }

        Report(change, "fenced");
        await ForgetCachedAsync(change, cancellationToken).ConfigureAwait(false);
        await whileFenced(change, cancellationToken).ConfigureAwait(false);
        Report(change, "moved");
        foreach (var shard in change.Shards)
        {
            await GiveAsync(shard, change, cancellationToken).ConfigureAwait(false);
        }

        await PublishAsync(catalog, [change.After], cancellationToken).ConfigureAwait(false);
        Report(change, "published");
        if (change.After.Map is not null)
        {
            // A map of the application's own needs other processes.
            await Catalog.RefreshAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private ShardMapChange ChangeOf(CatalogMap before, ShardMap map)
    {
        var from = before.Map ?? Database.Configured.Maps.GetValueOrDefault(before.Name) ?? map;
        var faults = new List<string>();
        if (map.Version <= before.Version)
        {
            faults.Add($"its version is {map.Version.ToString(CultureInfo.InvariantCulture)} and that of the present one {before.Version.ToString(CultureInfo.InvariantCulture)}; make it from the present map, by With(...) and the like");
        }

        if (map.BucketCount != before.Ownership.Buckets.Length)
        {
            faults.Add(string.Create(CultureInfo.InvariantCulture, $"it has {map.BucketCount} buckets and the present one {before.Ownership.Buckets.Length}, by which rows have been placed; the number can never change"));
        }

        if (!map.KeyTypes.SequenceEqual(from.KeyTypes))
        {
            faults.Add($"its keys are ({string.Join(", ", map.KeyTypes)}) and those of the present one ({string.Join(", ", from.KeyTypes)}); make it for the same keys");
        }

        if (map.Buckets is { } buckets && from.Buckets is { } present && buckets.PrefixLength != present.PrefixLength)
        {
            faults.Add(string.Create(CultureInfo.InvariantCulture, $"its buckets go by a prefix length of {buckets.PrefixLength} and those of the present one by {present.PrefixLength}, which gives keys other buckets than their rows and ids have; it can never change"));
        }

        var unknown = map.Shards.Where(s => Database.Options.Find(s) is null).ToList();
        if (unknown.Count > 0)
        {
            faults.Add($"it has the shards '{string.Join("', '", unknown)}', which UseSharding does not have; call AddShard(...) for them here and in every other process first");
        }

        return faults.Count == 0
            ? new ShardMapChange(before.Name, from, map, before, OpenAsync)
            : throw new ArgumentException($"The shard map '{before.Name}' was to be changed to one that cannot follow it: {string.Join("; ", faults)}.", nameof(map));
    }

    private async Task InstallAsync(string shard, long catalogId, IEnumerable<CatalogMap> maps, CancellationToken cancellationToken)
    {
        var connection = await OpenAsync(shard, cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
            await using (transaction.ConfigureAwait(false))
            {
                await ExecuteAsync(connection, "SELECT pg_advisory_xact_lock(hashtextextended('efscaling.ownership', 0))", cancellationToken).ConfigureAwait(false);
                await ExecuteAsync(connection, CatalogSql.CreateOwnership, cancellationToken).ConfigureAwait(false);
                await ExecuteAsync(connection, DecisionSql.Create, cancellationToken).ConfigureAwait(false);
                await ExecuteAsync(connection, SagaTable.Create, cancellationToken).ConfigureAwait(false);
                await ExecuteAsync(
                    connection,
                    "INSERT INTO efscaling.shard (name, catalog) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                    cancellationToken,
                    new NpgsqlParameter<string> { TypedValue = shard },
                    new NpgsqlParameter<long> { TypedValue = catalogId }).ConfigureAwait(false);
                await RequireSameShardAsync(connection, shard, catalogId, cancellationToken).ConfigureAwait(false);
                foreach (var map in maps)
                {
                    await OwnAsync(connection, map, shard, BucketsOn(shard, map), cancellationToken).ConfigureAwait(false);
                }

                await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
            }
        }
    }

    // A shard that is new to the map may be new altogether. Functions that are there already stay: to replace them takes their owner.
    private async Task RequireInstalledAsync(string shard, long catalogId, CancellationToken cancellationToken)
    {
        var connection = await OpenAsync(shard, cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            var command = new NpgsqlCommand("SELECT to_regclass('efscaling.shard') IS NOT NULL", connection);
            await using (command.ConfigureAwait(false))
            {
                if (await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is true)
                {
                    await RequireSameShardAsync(connection, shard, catalogId, cancellationToken).ConfigureAwait(false);
                    return;
                }
            }
        }

        await InstallAsync(shard, catalogId, [], cancellationToken).ConfigureAwait(false);
    }

    private static async Task RequireSameShardAsync(NpgsqlConnection connection, string shard, long catalogId, CancellationToken cancellationToken)
    {
        var command = new NpgsqlCommand("SELECT name, catalog FROM efscaling.shard", connection);
        await using (command.ConfigureAwait(false))
        {
            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
                var (name, catalog) = (reader.GetString(0), reader.GetInt64(1));
                if (name != shard || catalog != catalogId)
                {
                    throw new InvalidOperationException(
                        name != shard
                            ? $"The database of shard '{shard}' is the shard '{name}' already. Correct the connection in AddShard(\"{shard}\", ...)."
                            : $"The database of shard '{shard}' belongs to another catalog. Correct UseCatalog(...), or the connection in AddShard(\"{shard}\", ...).");
                }
            }
        }
    }

    private IEnumerable<int> BucketsOn(string shard, CatalogMap entry)
    {
        var map = entry.Map ?? Database.Configured.Maps.GetValueOrDefault(entry.Name);
        return map is null ? [] : Enumerable.Range(0, map.BucketCount).Where(b => map.ShardsOfBucket(b).Contains(shard));
    }

    private async Task FenceAsync(string shard, ShardMapChange change, CancellationToken cancellationToken)
    {
        // Of every shard, whatever the map says that each had: which it was is not known of an application's own map when its change is resumed.
        int[][] groups = [.. change.Buckets.Prepend(MapOwnership.WholeShard).Chunk(BucketsAtOnce)];
        foreach (var buckets in groups)
        {
            while (!await TryFenceAsync(shard, change, buckets, cancellationToken).ConfigureAwait(false))
            {
                // A transaction that is open holds its buckets. Between the attempts others get through.
                await Task.Delay(_pauseBetweenFences, shards.Clock, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private async Task<bool> TryFenceAsync(string shard, ShardMapChange change, int[] buckets, CancellationToken cancellationToken)
    {
        var connection = await OpenAsync(shard, cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
            await using (transaction.ConfigureAwait(false))
            {
                try
                {
                    await ExecuteAsync(connection, LockTimeout, cancellationToken).ConfigureAwait(false);
                    await ExecuteAsync(connection, CatalogSql.LockBuckets, cancellationToken, Parameter(change.Name), Parameter(buckets)).ConfigureAwait(false);
                    await ExecuteAsync(connection, CatalogSql.Disown, cancellationToken, Parameter(change.Name), Parameter(buckets), new NpgsqlParameter<long> { TypedValue = change.To.Version }).ConfigureAwait(false);
                    await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
                    return true;
                }
                catch (PostgresException exception) when (exception.SqlState is PostgresErrorCodes.LockNotAvailable or PostgresErrorCodes.DeadlockDetected)
                {
                    return false;
                }
            }
        }
    }

    private async Task GiveAsync(string shard, ShardMapChange change, CancellationToken cancellationToken)
    {
        var connection = await OpenAsync(shard, cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            await OwnAsync(connection, change.After, shard, change.Buckets.Where(b => change.To.ShardsOfBucket(b).Contains(shard)), cancellationToken).ConfigureAwait(false);
        }
    }

    // With the shard as a whole, also where the map has no part: there is nothing to be read there, and whoever asks may know it.
    private static Task OwnAsync(NpgsqlConnection connection, CatalogMap map, string shard, IEnumerable<int> buckets, CancellationToken cancellationToken)
    {
        int[] owned = [MapOwnership.WholeShard, .. buckets];
        return ExecuteAsync(
            connection,
            CatalogSql.Own,
            cancellationToken,
            Parameter(map.Name),
            Parameter(owned),
            new NpgsqlParameter<long[]> { TypedValue = [.. owned.Select(b => map.Ownership.VersionOf(shard, b))] });
    }

    // Processes with older maps must not go on being answered from what was kept of these shards.
    private async Task ForgetCachedAsync(ShardMapChange change, CancellationToken cancellationToken)
    {
        foreach (var shard in change.Shards)
        {
            if (shards.RouterOf(shard).Cache is { } cache)
            {
                await cache.Shared.PublishAsync(null, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private static async Task PublishAsync(NpgsqlConnection catalog, CatalogMap[] maps, CancellationToken cancellationToken)
    {
        var transaction = await catalog.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        await using (transaction.ConfigureAwait(false))
        {
            foreach (var map in maps)
            {
                await ExecuteAsync(
                    catalog,
                    """
                    INSERT INTO efscaling.shard_map (name, version, fingerprint, entry) VALUES ($1, $2, $3, $4)
                    ON CONFLICT (name) DO UPDATE SET version = excluded.version, fingerprint = excluded.fingerprint, entry = excluded.entry, pending = NULL, changed_at = now()
                    """,
                    cancellationToken,
                    Parameter(map.Name),
                    new NpgsqlParameter<long> { TypedValue = map.Version },
                    Parameter(map.Fingerprint),
                    new NpgsqlParameter<string> { NpgsqlDbType = NpgsqlDbType.Jsonb, TypedValue = map.ToJson().ToJsonString() }).ConfigureAwait(false);
            }

            await ExecuteAsync(catalog, "UPDATE efscaling.shard_catalog SET epoch = epoch + 1", cancellationToken).ConfigureAwait(false);
            await ExecuteAsync(catalog, $"NOTIFY {CatalogSql.Channel}", cancellationToken).ConfigureAwait(false);
            await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task<CatalogReading> ReadAsync(NpgsqlConnection catalog, CancellationToken cancellationToken) =>
        (await CatalogReader.ReadAsync(catalog, knownEpoch: -1, cancellationToken).ConfigureAwait(false))!;

    private static async Task<CatalogMap> EntryAsync(NpgsqlConnection catalog, string name, CancellationToken cancellationToken)
    {
        var reading = await ReadAsync(catalog, cancellationToken).ConfigureAwait(false);
        return reading.Maps.FirstOrDefault(m => m.Name == name)
            ?? throw new ArgumentException(
                $"A shard map '{name}' was to be changed, but the catalog has '{string.Join("', '", reading.Maps.Select(m => m.Name))}'. Name one of them, or register it by CreateShardCatalogAsync().", nameof(name));
    }

    private static async Task<CatalogMap?> PendingAsync(NpgsqlConnection catalog, string name, CancellationToken cancellationToken)
    {
        var command = new NpgsqlCommand("SELECT pending::text FROM efscaling.shard_map WHERE name = $1 AND pending IS NOT NULL", catalog) { Parameters = { Parameter(name) } };
        await using (command.ConfigureAwait(false))
        {
            return await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is string pending ? CatalogMap.Parse(pending) : null;
        }
    }

    private static async Task RefuseWhilePendingAsync(NpgsqlConnection catalog, string what, CancellationToken cancellationToken)
    {
        var command = new NpgsqlCommand("SELECT name FROM efscaling.shard_map WHERE pending IS NOT NULL LIMIT 1", catalog);
        await using (command.ConfigureAwait(false))
        {
            if (await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is string name)
            {
                throw new InvalidOperationException(
                    $"{what} was called while a change of the shard map '{name}' is pending, which was interrupted. Complete it by Database.ResumeShardMapChangeAsync(...) first.");
            }
        }
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken, params NpgsqlParameter[] parameters)
    {
        // However long others hold what it waits for: the caller's token ends it.
        var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        await using (command.ConfigureAwait(false))
        {
            command.Parameters.AddRange(parameters);
            await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private static NpgsqlParameter<string> Parameter(string text) => new() { TypedValue = text };

    private static NpgsqlParameter<int[]> Parameter(int[] numbers) => new() { TypedValue = numbers };

    private Task<NpgsqlConnection> OpenAsync(string shard, CancellationToken cancellationToken) =>
        Database.Options.Find(shard) is { } known
            ? shards.SourceOf(known).OpenConnectionAsync(cancellationToken).AsTask()
            : throw new ArgumentException($"A connection to shard '{shard}' was asked for, which UseSharding does not have. Call AddShard(\"{shard}\", ...).", nameof(shard));

    private void Report(ShardMapChange change, string step) => shards.Logger.ShardMapChange(change.Name, change.To.Version, change.Buckets.Count, step);
}
