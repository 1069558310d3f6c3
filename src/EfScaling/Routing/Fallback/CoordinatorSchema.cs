using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using EfScaling.Replication;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.EntityFrameworkCore.Migrations.Operations;
using Npgsql;

namespace EfScaling.Routing.Fallback;

/// <summary>Makes what the fallback coordinator needs: a server for each shard, foreign tables, and views over them under the names of the model.</summary>
/// <param name="context">A context that spans all shards.</param>
/// <param name="coordinator">Its way to the coordinator.</param>
/// <remarks>
/// <para>All in one transaction: what ran before goes on, or everything is new. What it has made carries a mark, and only that is dropped the next time, never with what depends on it.</para>
/// <para>
/// A view over all shards, instead of a parent with children, takes columns in any order and one that is named as a system column; PostgreSQL makes the same plan of both
/// (prep/prepjointree.c, "pull_up_simple_union_all").
/// </para>
/// </remarks>
internal sealed class CoordinatorSchema(DbContext context, FallbackCoordinator coordinator)
{
    private readonly ShardedDatabase _database = coordinator.Shards.Database;
    private string _step = "open a transaction";

    /// <summary>Makes everything, in the place of what was made before.</summary>
    /// <exception cref="InvalidOperationException">The coordinator or a shard does not answer or refuses a step, orders texts in another way, or has something that was not made here.</exception>
    public async Task CreateAsync(CancellationToken cancellationToken)
    {
        try
        {
            var connection = await coordinator.Connection.Source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
            await using (connection.ConfigureAwait(false))
            {
                var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
                await using (transaction.ConfigureAwait(false))
                {
                    await CreateAsync(connection, cancellationToken).ConfigureAwait(false);
                    _step = "commit";
                    await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
                }

                // Later connections of the pool must know the types that were made.
                await connection.ReloadTypesAsync(cancellationToken).ConfigureAwait(false);
            }
        }
        catch (NpgsqlException failure)
        {
            throw new InvalidOperationException(
                $"CreateFallbackCoordinatorAsync could not {_step}: {NodeError.Describe(failure)}. Nothing is changed on the coordinator '{coordinator.Name}'. Correct UseFallbackCoordinator(...) or what is named here, and call it again.", failure);
        }
    }

    private async Task CreateAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await ExecuteAsync(connection, "write there", CoordinatorSql.AllowWrites, cancellationToken).ConfigureAwait(false);
        await ExecuteAsync(connection, "wait for others", CoordinatorSql.Lock, cancellationToken).ConfigureAwait(false);
        var tables = Tables();
        var types = TypeStatements();
        var fingerprint = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', types))))[..16];
        await ExecuteAsync(connection, "name the types", "SELECT set_config('efscaling.types', $1, true)", cancellationToken, new NpgsqlParameter<string> { TypedValue = fingerprint }).ConfigureAwait(false);
        await ExecuteAsync(connection, "drop what it made before", CoordinatorSql.Drop, cancellationToken).ConfigureAwait(false);
        await RefuseOthersAsync(connection, tables, cancellationToken).ConfigureAwait(false);
        await ExecuteAsync(connection, "create the extension postgres_fdw", "CREATE EXTENSION IF NOT EXISTS postgres_fdw", cancellationToken).ConfigureAwait(false);
        foreach (var schema in tables.Select(t => t.Schema).OfType<string>().Distinct(StringComparer.Ordinal))
        {
            await ExecuteAsync(connection, $"create the schema '{schema}'", $"CREATE SCHEMA IF NOT EXISTS {CoordinatorName.Of(schema)}", cancellationToken).ConfigureAwait(false);
        }

        if (!(await ReadAsync(connection, "look for types", CoordinatorSql.HasTypes, r => r.GetBoolean(0), cancellationToken, new NpgsqlParameter<string> { TypedValue = fingerprint }).ConfigureAwait(false))[0])
        {
            foreach (var statement in types)
            {
                await ExecuteAsync(connection, "create the types and extensions of the model", statement, cancellationToken).ConfigureAwait(false);
            }
        }

        await ExecuteAsync(connection, "create a schema", $"CREATE SCHEMA {CoordinatorName.Of(CoordinatorName.Versions)}", cancellationToken).ConfigureAwait(false);
        var found = new Dictionary<(string Shard, string Table), string>();
        foreach (var shard in _database.Options.Shards)
        {
            await ImportAsync(connection, shard, [.. tables.Where(t => t.Shards.Contains(shard.Name))], found, cancellationToken).ConfigureAwait(false);
        }

        foreach (var table in tables)
        {
            await CreateViewsAsync(connection, table, [.. table.Shards.Select(s => found[(s, table.Sql)])], cancellationToken).ConfigureAwait(false);
        }

        await ExecuteAsync(connection, "mark what it made", CoordinatorSql.MarkAll, cancellationToken).ConfigureAwait(false);
        await CompareAsync(connection, cancellationToken).ConfigureAwait(false);
    }

    private List<CoordinatorTable> Tables()
    {
        var model = context.Model.GetRelationalModel();
        return [.. model.Tables.Cast<ITableBase>().Concat(model.Views).DistinctBy(t => (t.Schema, t.Name)).Select(t => new CoordinatorTable(
            t.Schema, t.Name, ShardsOf(t), [.. t.Columns.Select(c => c.Name).Where(SystemColumns.Contains).Order(StringComparer.Ordinal)]))];
    }

    // Of a reference table every shard has all rows.
    private ImmutableArray<string> ShardsOf(ITableBase table) =>
        _database.Model.Find(table.Schema, table.Name) is { Placement: TablePlacement.Sharded, Map: var map } ? [.. _database.Configured.Maps[map].Shards.Distinct(StringComparer.Ordinal)] : [_database.DefaultShard];

    // As EF creates them in an empty database.
    private List<string> TypeStatements()
    {
        var model = context.GetService<IDesignTimeModel>().Model;
        var operations = context.GetService<IMigrationsModelDiffer>().GetDifferences(null, model.GetRelationalModel()).OfType<AlterDatabaseOperation>();
        return [.. context.GetService<IMigrationsSqlGenerator>().Generate([.. operations], model).Select(c => c.CommandText)];
    }

    private async Task RefuseOthersAsync(NpgsqlConnection connection, List<CoordinatorTable> tables, CancellationToken cancellationToken)
    {
        string[] names = [.. tables.Select(t => t.Sql)];
        var others = await ReadAsync(connection, "look for tables", CoordinatorSql.FindOthers, r => r.GetString(0), cancellationToken, new NpgsqlParameter<string[]> { TypedValue = names }).ConfigureAwait(false);
        if (others.Count > 0)
        {
            throw new InvalidOperationException(
                $"CreateFallbackCoordinatorAsync was called with a coordinator '{coordinator.Name}' whose database has {string.Join(", ", others)}, which it did not make. Nothing is changed there. Give the coordinator a database of its own in UseFallbackCoordinator(...).");
        }
    }

    private async Task ImportAsync(
        NpgsqlConnection connection, ShardDefinition shard, List<CoordinatorTable> tables, Dictionary<(string Shard, string Table), string> found, CancellationToken cancellationToken)
    {
        var settings = new NpgsqlConnectionStringBuilder(shard.DataSource?.ConnectionString ?? shard.ConnectionString);
        var (database, user, places) = await FindAsync(shard, tables, cancellationToken).ConfigureAwait(false);
        var server = CoordinatorName.Of(CoordinatorName.OfServer(shard.Name));
        await ExecuteAsync(
            connection, $"create the server of shard '{shard.Name}'", $"CREATE SERVER {server} FOREIGN DATA WRAPPER postgres_fdw OPTIONS ({CoordinatorServer.OptionsOf(settings, database)})", cancellationToken).ConfigureAwait(false);
        await ExecuteAsync(
            connection,
            $"name the role of shard '{shard.Name}'",
            CoordinatorSql.GiveSecrets,
            cancellationToken,
            new NpgsqlParameter<string> { TypedValue = CoordinatorName.OfServer(shard.Name) },
            new NpgsqlParameter<string> { TypedValue = user },
            new NpgsqlParameter<byte[]> { TypedValue = Encoding.UTF8.GetBytes(settings.Password ?? string.Empty) }).ConfigureAwait(false);
        await ExecuteAsync(connection, $"map the role of shard '{shard.Name}'", CoordinatorSql.CreateMapping, cancellationToken).ConfigureAwait(false);
        foreach (var schema in tables.GroupBy(t => places[t.Sql].Schema, StringComparer.Ordinal))
        {
            var own = CoordinatorName.Of(CoordinatorName.OfSchema(shard.Name, schema.Key));
            var names = string.Join(", ", schema.Select(t => CoordinatorName.Of(places[t.Sql].Table)));
            await ExecuteAsync(connection, $"create a schema for shard '{shard.Name}'", $"CREATE SCHEMA {own}", cancellationToken).ConfigureAwait(false);
            await ExecuteAsync(
                connection,
                $"import the tables of shard '{shard.Name}'",
                $"IMPORT FOREIGN SCHEMA {CoordinatorName.Of(schema.Key)} LIMIT TO ({names}) FROM SERVER {server} INTO {own} OPTIONS (import_default 'false', import_generated 'false')",
                cancellationToken).ConfigureAwait(false);
            foreach (var table in schema)
            {
                var foreign = $"{own}.{CoordinatorName.Of(places[table.Sql].Table)}";
                found[(shard.Name, table.Sql)] = foreign;
                foreach (var column in table.SystemColumns)
                {
                    await ExecuteAsync(
                        connection,
                        $"add the column '{column}' to {table.Sql} of shard '{shard.Name}'",
                        $"ALTER FOREIGN TABLE {foreign} ADD COLUMN {CoordinatorName.Of(CoordinatorName.OfSystemColumn(column))} {SystemColumns.TypeOf(column)} OPTIONS (column_name '{column}')",
                        cancellationToken).ConfigureAwait(false);
                }
            }
        }
    }

    // What the names of the tables lead to on a shard, and as whom the application reads them.
    private async Task<(string Database, string User, Dictionary<string, (string Schema, string Table)> Places)> FindAsync(ShardDefinition shard, List<CoordinatorTable> tables, CancellationToken cancellationToken)
    {
        _step = $"ask shard '{shard.Name}' for its tables";
        var connection = await coordinator.Shards.SourceOf(shard).OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            string[] names = [.. tables.Select(t => t.Sql)];
            var rows = await ReadAsync(
                connection,
                _step,
                CoordinatorSql.FindTables,
                r => (Name: r.IsDBNull(0) ? null : r.GetString(0), Schema: r.IsDBNull(1) ? null : r.GetString(1), Table: r.IsDBNull(2) ? null : r.GetString(2), Database: r.GetString(3), User: r.GetString(4)),
                cancellationToken,
                new NpgsqlParameter<string[]> { TypedValue = names }).ConfigureAwait(false);
            var missing = rows.Where(r => r.Name is not null && r.Table is null).Select(r => r.Name).ToList();
            return missing.Count == 0
                ? (rows[0].Database, rows[0].User, rows.Where(r => r.Table is not null).ToDictionary(r => r.Name!, r => (r.Schema!, r.Table!), StringComparer.Ordinal))
                : throw new InvalidOperationException(
                    $"CreateFallbackCoordinatorAsync was called, and shard '{shard.Name}' lacks {string.Join(", ", missing)} of the model. Create or migrate the shards first, by MigrateAsync() or EnsureCreatedAsync() on a context that spans all of them.");
        }
    }

    private async Task CreateViewsAsync(NpgsqlConnection connection, CoordinatorTable table, string[] foreign, CancellationToken cancellationToken)
    {
        var step = $"create {table.Sql} over the shards, whose columns must be the same";
        var columns = await ReadAsync(connection, step, CoordinatorSql.FindColumns, r => r.GetString(0), cancellationToken, new NpgsqlParameter<string> { TypedValue = foreign[0] }).ConfigureAwait(false);
        string[] system = [.. table.SystemColumns.Select(c => $"{CoordinatorName.Of(CoordinatorName.OfSystemColumn(c))} AS {CoordinatorName.Of(c)}")];
        string[] own = [.. columns.Except(table.SystemColumns.Select(CoordinatorName.OfSystemColumn), StringComparer.Ordinal).Select(CoordinatorName.Of)];
        await ExecuteAsync(connection, step, ViewOf(table.Sql, own), cancellationToken).ConfigureAwait(false);
        if (system.Length > 0)
        {
            await ExecuteAsync(connection, step, ViewOf(CoordinatorName.Of(CoordinatorName.Versions, CoordinatorName.OfVersions(table.Schema, table.Name)), [.. own, .. system]), cancellationToken).ConfigureAwait(false);
        }

        string ViewOf(string name, string[] shown) => $"CREATE VIEW {name} AS {string.Join(" UNION ALL ", foreign.Select(f => $"SELECT {string.Join(", ", shown)} FROM {f}"))}";
    }

    private async Task CompareAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var own = await TraitsAsync(connection, "ask the coordinator for its collations", cancellationToken).ConfigureAwait(false);
        foreach (var shard in _database.Options.Shards)
        {
            _step = $"ask shard '{shard.Name}' for its collations";
            var shardConnection = await coordinator.Shards.SourceOf(shard).OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
            await using (shardConnection.ConfigureAwait(false))
            {
                var others = await TraitsAsync(shardConnection, _step, cancellationToken).ConfigureAwait(false);
                if (others.FirstOrDefault(o => own.TryGetValue(o.Key, out var mine) && mine != o.Value) is { Key: { } name, Value: var value })
                {
                    throw new InvalidOperationException(
                        $"CreateFallbackCoordinatorAsync was called with a coordinator '{coordinator.Name}' that may order, compare or write values in another way than shard '{shard.Name}': its {name} is '{own[name]}', and that of the shard '{value}'. Nothing is changed there. Create the coordinator's database with the locale and encoding of the shards, on the same release of the operating system, and give it the same settings; its enums are those of the model, to which the shards must be migrated.");
                }
            }
        }
    }

    private async Task<SortedDictionary<string, string>> TraitsAsync(NpgsqlConnection connection, string step, CancellationToken cancellationToken)
    {
        var traits = await ReadAsync(connection, step, CoordinatorSql.Traits, r => (Name: r.GetString(0), Value: r.GetString(1)), cancellationToken).ConfigureAwait(false);
        var known = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, value) in traits)
        {
            known[name] = value;
        }

        return known;
    }

    private async Task ExecuteAsync(NpgsqlConnection connection, string step, string sql, CancellationToken cancellationToken, params NpgsqlParameter[] parameters)
    {
        _step = step;

        // However long readers hold what is to be dropped: the caller's token ends it.
        var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        await using (command.ConfigureAwait(false))
        {
            command.Parameters.AddRange(parameters);
            await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<List<T>> ReadAsync<T>(NpgsqlConnection connection, string step, string sql, Func<NpgsqlDataReader, T> read, CancellationToken cancellationToken, params NpgsqlParameter[] parameters)
    {
        _step = step;
        var rows = new List<T>();
        var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        await using (command.ConfigureAwait(false))
        {
            command.Parameters.AddRange(parameters);
            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                {
                    rows.Add(read(reader));
                }
            }
        }

        return rows;
    }
}
