using System.Collections.Concurrent;
using EfScaling.Diagnostics;
using EfScaling.Topology;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace EfScaling.Sharding;

/// <summary>Learns which database each shard is when it is first used, and finds two that are the same.</summary>
/// <remarks>Asks in the background, once for each shard and process, on a connection of its own; commands do not wait for it. Thread-safe.</remarks>
internal sealed class ShardIdentities(TimeProvider clock)
{
    private const string Sql = "SELECT system_identifier, (SELECT oid FROM pg_database WHERE datname = current_database()) FROM pg_control_system()";

    // A shard that is down is not asked more often than this.
    private static readonly TimeSpan _pause = TimeSpan.FromSeconds(30);

    private readonly ConcurrentDictionary<string, ServerIdentity?> _known = new(StringComparer.Ordinal);
    private volatile string? _fault;

    /// <summary>Gets what is wrong with the shards; <see langword="null"/> as long as nothing is known to be.</summary>
    public string? Fault => _fault;

    /// <summary>Lets a shard be asked which database it is, unless it was before.</summary>
    /// <param name="shard">The name of the shard.</param>
    /// <param name="source">Leads to its primary.</param>
    /// <param name="logger">Told of two shards that are the same database.</param>
    public void Learn(string shard, NpgsqlDataSource source, ILogger logger)
    {
        if (!_known.ContainsKey(shard) && _known.TryAdd(shard, null))
        {
            // Unsafe: what was first to use the shard must not be kept alive by its async-local values.
            ThreadPool.UnsafeQueueUserWorkItem(static ask => _ = ask.Identities.AskAsync(ask.Shard, ask.Source, ask.Logger), (Identities: this, Shard: shard, Source: source, Logger: logger), preferLocal: false);
        }
    }

    private async Task AskAsync(string shard, NpgsqlDataSource source, ILogger logger)
    {
        while (true)
        {
            try
            {
                var command = source.CreateCommand(Sql);
                await using (command.ConfigureAwait(false))
                {
                    var reader = await command.ExecuteReaderAsync().ConfigureAwait(false);
                    await using (reader.ConfigureAwait(false))
                    {
                        await reader.ReadAsync().ConfigureAwait(false);
                        Take(shard, new ServerIdentity((ulong)reader.GetInt64(0), Timeline: 0, reader.GetFieldValue<uint>(1)), logger);
                        return;
                    }
                }
            }
            catch (PostgresException refusal) when (refusal.SqlState is PostgresErrorCodes.InsufficientPrivilege or PostgresErrorCodes.UndefinedFunction)
            {
                // Whoever may not ask the server for its identifier never learns it. CheckShardsAsync tells of it.
                return;
            }
            catch (ObjectDisposedException)
            {
                return;
            }
            catch (NpgsqlException)
            {
                // The server is down or has no time, and commands say so.
                await Task.Delay(_pause, clock).ConfigureAwait(false);
            }
        }
    }

    private void Take(string shard, ServerIdentity identity, ILogger logger)
    {
        lock (_known)
        {
            _known[shard] = identity;
            if (_known.FirstOrDefault(k => k.Key != shard && k.Value is { } other && other.IsSameDatabaseAs(identity)).Key is { } same)
            {
                string[] pair = [.. new[] { shard, same }.Order(StringComparer.Ordinal)];
                _fault = $"The shards '{pair[0]}' and '{pair[1]}' are the same database, so that no row could be told to belong to one of them. Give each shard a database of its own in AddShard(...).";
                logger.ShardsAreSameDatabase(pair[0], pair[1]);
            }
        }
    }
}
