using EfScaling.Consistency;
using EfScaling.Routing.Schema;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Npgsql;

namespace EfScaling.Routing.Checks;

/// <summary>Asks the primary of every shard whether it can be what the configuration makes of it.</summary>
/// <remarks>One that does not answer is a finding as well. Thread-safe.</remarks>
internal sealed class ShardsCheck(ShardWork work)
{
    private const int OldestVersion = 140_000;

    // In seconds.
    private const double LongestPrepared = 60;

    // Twelve bytes and more, which the hash takes as words: their order is that of the machine.
    private const string Sample = "which end comes first";

    // The versions of collations since PostgreSQL 15 for the database, before for single ones; whatever a server does not know is null.
    private const string Sql =
        """
        SELECT current_database()::text, (SELECT system_identifier::text FROM pg_control_system()), d.oid,
               current_setting('server_version_num')::int, pg_is_in_recovery() OR current_setting('default_transaction_read_only')::bool,
               hashtextextended($1, $2),
               EXISTS (SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
                       WHERE n.nspname = 'efscaling' AND c.relname = 'shard_map_seen' AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')),
               current_setting('max_prepared_transactions')::int,
               EXISTS (SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = 'efscaling' AND c.relname = 'decision'),
               (SELECT coalesce(extract(epoch FROM clock_timestamp() - min(p.prepared)), 0)::double precision FROM pg_prepared_xacts AS p
                WHERE p.database = current_database() AND starts_with(p.gid, 'efscaling:'))
        FROM pg_database AS d WHERE d.datname = current_database()
        """;

    private const string CollationsSql =
        """
        SELECT 'default ' || d.datcollate, to_jsonb(d) ->> 'datcollversion', NULL
        FROM pg_database AS d WHERE d.datname = current_database()
        UNION ALL
        SELECT DISTINCT l.collname, l.collversion, pg_collation_actual_version(l.oid)
        FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace JOIN pg_collation AS l ON l.oid = a.attcollation
        WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND l.collname <> 'default'
        """;

    /// <summary>Checks all shards.</summary>
    public async Task<ShardsCheckResult> RunAsync(CancellationToken cancellationToken)
    {
        var maps = new Dictionary<string, ShardMap>(StringComparer.Ordinal);
        var answers = await work.RunAsync(
            (context, token) =>
            {
                lock (maps)
                {
                    foreach (var (name, map) in SeenShardMap.MapsOf(context))
                    {
                        maps[name] = map;
                    }
                }

                return AskAsync(context, token);
            },
            ShardWork.DefaultParallel,
            progress: null,
            cancellationToken).ConfigureAwait(false);
        return new ShardsCheckResult(Judge(answers, maps));
    }

    /// <summary>Judges the answers.</summary>
    /// <param name="answers">What became of each shard.</param>
    /// <param name="maps">The maps of this process, by their names.</param>
    internal static List<ShardFinding> Judge(IReadOnlyList<ShardResult<ShardAnswer>> answers, IReadOnlyDictionary<string, ShardMap> maps)
    {
        var findings = new List<ShardFinding>();
        var known = new List<(string Shard, ShardAnswer Answer)>();
        foreach (var (shard, answer, failure) in answers)
        {
            if (answer is null)
            {
                findings.Add(failure is ShardEncodingException wrong
                    ? new ShardFinding(shard, ShardFindingKind.WrongEncoding, wrong.Description, wrong)
                    : new ShardFinding(shard, ShardFindingKind.Unreachable, $"it did not answer, and its keys fail until it does: {failure!.Message}", failure));
                continue;
            }

            findings.AddRange(JudgeAlone(answer).Concat(answers.Count > 1 || answer.OldestPrepared > 0 ? JudgeTransactions(answer) : []).Concat(JudgeMaps(answer, maps)).Concat(Compare(answer, known)).Select(f => new ShardFinding(shard, f.Kind, f.Description)));
            known.Add((shard, answer));
        }

        return findings;
    }

    private static IEnumerable<(ShardFindingKind Kind, string Description)> JudgeAlone(ShardAnswer answer)
    {
        if (answer.IsReadOnly)
        {
            yield return (ShardFindingKind.ReadOnly, "the server that AddShard names is a standby or reads only, so that every write fails. Name the primary.");
        }

        if (answer.ServerVersion < OldestVersion)
        {
            yield return (ShardFindingKind.VersionTooOld, FormattableString.Invariant($"its server is PostgreSQL {answer.ServerVersion / 10_000}, and 14 is the oldest that can verify the buckets of rows. Upgrade it."));
        }
        else if (!answer.HashesAlike)
        {
            yield return (ShardFindingKind.HashDiffers, "its server hashes keys to other buckets than this process, as machines do that are not little-endian. Move it to one that is.");
        }

        foreach (var collation in answer.Outdated)
        {
            yield return (ShardFindingKind.CollationOutdated, $"the collation '{collation}' has changed since the database was created, so that indexes on text may be wrong. Rebuild them, then call ALTER COLLATION ... REFRESH VERSION or ALTER DATABASE ... REFRESH COLLATION VERSION.");
        }
    }

    private static IEnumerable<(ShardFindingKind Kind, string Description)> JudgeTransactions(ShardAnswer answer)
    {
        if (answer.MaxPrepared == 0)
        {
            yield return (ShardFindingKind.NoPreparedTransactions, "its server keeps no prepared transactions, so that no transaction over several shards can be committed in two phases. Set max_prepared_transactions to at least max_connections and restart it.");
        }

        if (!answer.HasDecisions)
        {
            yield return (ShardFindingKind.NoDecisions, "it has no table efscaling.decision, which transactions over several shards need. Call MigrateAsync() or EnsureCreatedAsync() on a context that spans all shards, or Database.EnsureShardTransactionsCreatedAsync().");
        }

        if (answer.OldestPrepared > LongestPrepared)
        {
            yield return (ShardFindingKind.PreparedTooLong, FormattableString.Invariant($"a part of a transaction over several shards has been prepared for {answer.OldestPrepared:0} s, where it holds locks and keeps old rows. Call Database.RecoverShardTransactionsAsync(), which settles it or says why it cannot."));
        }
    }

    private static IEnumerable<(ShardFindingKind Kind, string Description)> JudgeMaps(ShardAnswer answer, IReadOnlyDictionary<string, ShardMap> maps)
    {
        foreach (var (name, map) in maps.OrderBy(m => m.Key, StringComparer.Ordinal))
        {
            if (answer.Maps is null || !answer.Maps.TryGetValue(name, out var seen))
            {
                yield return (ShardFindingKind.MapNotRecorded, $"it has no record, that this role may read, of {(name.Length == 0 ? "the shard map" : $"the shard map '{name}'")}. Call MigrateAsync() or EnsureCreatedAsync() on a context that spans all shards.");
            }
            else if (SeenShardMap.DifferenceOf(name, map, seen.Version, seen.Fingerprint) is { } difference)
            {
                yield return (ShardFindingKind.MapDiffers, difference);
            }
        }
    }

    private static IEnumerable<(ShardFindingKind Kind, string Description)> Compare(ShardAnswer answer, List<(string Shard, ShardAnswer Answer)> before)
    {
        if (before.Find(b => b.Answer.SystemId == answer.SystemId && b.Answer.Oid == answer.Oid) is { Answer: not null } same)
        {
            yield return (ShardFindingKind.SameDatabase, $"it is the same database as shard '{same.Shard}' ('{answer.Database}'), so that rows of both are counted twice. Give each shard a database of its own in AddShard(...).");
            yield break;
        }

        foreach (var (name, version) in answer.Collations.OrderBy(c => c.Key, StringComparer.Ordinal))
        {
            if (before.Find(b => b.Answer.Collations.TryGetValue(name, out var other) && other != version) is { Answer: not null } different)
            {
                yield return (ShardFindingKind.CollationDiffers, $"the collation '{name}' has version '{version}', and '{different.Answer.Collations[name]}' on shard '{different.Shard}', so that they may order texts differently. Run all shards on the same release of the operating system.");
            }
        }
    }

    private static async Task<ShardAnswer> AskAsync(DbContext context, CancellationToken cancellationToken)
    {
        var reader = new ShardReader(context, ReadContract.Primary);
        ShardAnswer? answer = null;
        var hasRecord = false;
        await reader.ReadAsync(
            Sql,
            row =>
            {
                answer = new ShardAnswer(
                    row.GetString(0), row.IsDBNull(1) ? string.Empty : row.GetString(1), row.GetFieldValue<uint>(2), row.GetInt32(3), row.GetBoolean(4),
                    HashesAlike: row.GetInt64(5) == unchecked((long)PartitionHash.Of(Sample)), new Dictionary<string, string>()) { MaxPrepared = row.GetInt32(7), HasDecisions = row.GetBoolean(8), OldestPrepared = row.GetDouble(9) };
                hasRecord = row.GetBoolean(6);
            },
            [Sample, (long)PartitionHash.Seed],
            cancellationToken).ConfigureAwait(false);
        var collations = new Dictionary<string, string>(StringComparer.Ordinal);
        var outdated = new List<string>();
        await reader.ReadAsync(
            CollationsSql,
            row =>
            {
                var (recorded, actual) = (row.IsDBNull(1) ? null : row.GetString(1), row.IsDBNull(2) ? null : row.GetString(2));
                collations[row.GetString(0)] = actual ?? recorded ?? "unknown";
                if (actual is not null && recorded is not null && actual != recorded)
                {
                    outdated.Add(row.GetString(0));
                }
            },
            [],
            cancellationToken).ConfigureAwait(false);
        return answer! with { Collations = collations, Outdated = outdated, Maps = hasRecord ? await MapsAsync(reader, cancellationToken).ConfigureAwait(false) : null };
    }

    private static async Task<IReadOnlyDictionary<string, (long Version, string Fingerprint)>> MapsAsync(ShardReader reader, CancellationToken cancellationToken)
    {
        var maps = new Dictionary<string, (long Version, string Fingerprint)>(StringComparer.Ordinal);
        await reader.ReadAsync(SeenShardMap.ReadSql, row => maps[row.GetString(0)] = (row.GetInt64(1), row.GetString(2)), [], cancellationToken).ConfigureAwait(false);
        return maps;
    }
}
