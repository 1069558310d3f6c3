using System.Globalization;
using EfScaling.Diagnostics;
using EfScaling.Replication;
using EfScaling.Sharding.Catalog;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace EfScaling.Routing.Shards;

/// <summary>A command that its shard has refused, until the maps are such that it can be repeated.</summary>
/// <remarks>Made when a command is refused for the first time. Not thread-safe, like the context.</remarks>
internal sealed class MapRenewal
{
    private static readonly TimeSpan _firstPause = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan _longestPause = TimeSpan.FromMilliseconds(100);

    private readonly ContextShards _shards;
    private readonly IRelationalConnection _connection;
    private readonly long _startedAt;
    private readonly TimeSpan? _timeout;
    private TimeSpan _pause = _firstPause;
    private Exception? _unreachable;

    /// <param name="shards">The shards of the context.</param>
    /// <param name="connection">The context's own connection.</param>
    public MapRenewal(ContextShards shards, IRelationalConnection connection)
    {
        (_shards, _connection) = (shards, connection);
        _startedAt = shards.Clock.GetTimestamp();
        var seconds = connection.CommandTimeout ?? (connection.DbConnection as NpgsqlConnection)?.CommandTimeout ?? 0;
        _timeout = seconds == 0 ? null : TimeSpan.FromSeconds(seconds);
    }

    /// <summary>Returns whether a shard has refused because it does not own what was asked of it.</summary>
    public static bool IsCausedBy(Exception exception) => RefusalIn(exception) is not null;

    /// <summary>Runs a command, again each time that its shard refuses it, with the maps loaded.</summary>
    /// <param name="shards">The shards of the context, which a catalog governs.</param>
    /// <param name="connection">The context's own connection.</param>
    /// <param name="run">Runs the command from the beginning: it finds its shard anew.</param>
    /// <exception cref="ShardMapChangedException">The command cannot be repeated by itself, or its time is over.</exception>
    public static T Run<T>(ContextShards shards, IRelationalConnection connection, Func<T> run)
    {
        MapRenewal? renewal = null;
        while (true)
        {
            try
            {
                shards.Maps.Prepare();
                return run();
            }
            catch (Exception exception) when (IsCausedBy(exception))
            {
                (renewal ??= new MapRenewal(shards, connection)).Await(exception);
            }
        }
    }

    /// <inheritdoc cref="Run" />
    public static async Task<T> RunAsync<T>(ContextShards shards, IRelationalConnection connection, Func<Task<T>> run, CancellationToken cancellationToken)
    {
        MapRenewal? renewal = null;
        while (true)
        {
            try
            {
                await shards.Maps.PrepareAsync(cancellationToken).ConfigureAwait(false);
                return await run().ConfigureAwait(false);
            }
            catch (Exception exception) when (IsCausedBy(exception))
            {
                await (renewal ??= new MapRenewal(shards, connection)).AwaitAsync(exception, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Loads the maps anew, and waits a little if they are still the same.</summary>
    /// <exception cref="ShardMapChangedException">The command cannot be repeated by itself, or its time is over.</exception>
    public void Await(Exception exception)
    {
        var epoch = Begin(exception);
        try
        {
            _shards.Database.Catalog!.Refresh();
            _unreachable = null;
        }
        catch (NpgsqlException unreachable)
        {
            _unreachable = unreachable;
        }

        if (PauseAfter(epoch) is { } pause)
        {
            // Whoever asks synchronously has asked to be blocked.
            using var turn = new ManualResetEventSlim();
            turn.Wait(pause);
        }
    }

    /// <inheritdoc cref="Await" />
    public async Task AwaitAsync(Exception exception, CancellationToken cancellationToken)
    {
        var epoch = Begin(exception);
        try
        {
            await _shards.Database.Catalog!.RefreshAsync(cancellationToken).ConfigureAwait(false);
            _unreachable = null;
        }
        catch (NpgsqlException unreachable)
        {
            _unreachable = unreachable;
        }

        if (PauseAfter(epoch) is { } pause)
        {
            await Task.Delay(pause, _shards.Clock, cancellationToken).ConfigureAwait(false);
        }
    }

    private static PostgresException? RefusalIn(Exception exception) => exception switch
    {
        PostgresException { SqlState: OwnershipSql.NotOwner } refusal => refusal,
        DbUpdateException { InnerException: { } inner } => RefusalIn(inner),
        _ => null,
    };

    private long Begin(Exception exception)
    {
        var difference = RefusalIn(exception)!.MessageText;
        if (_connection.CurrentTransaction is not null || OwnConnection.TransactionAround(_connection) is not null || _shards.IsInSnapshot)
        {
            throw new ShardMapChangedException(
                $"A command in a transaction or snapshot met a shard that does not own what it needs ({difference}), because the shard map was changed since it began. "
                + "Nothing is committed: repeat the whole unit of work in a new transaction or snapshot, on a context created anew for its key.",
                exception);
        }

        if (_shards.Maps.Pinned is not null)
        {
            throw new ShardMapChangedException(
                $"A command of ForEachShardAsync met a shard that does not own what it owned when that began ({difference}), because the shard map was changed since. "
                + "Rows that move could be met on two shards or on none: repeat ForEachShardAsync on all of them.",
                exception);
        }

        if (_timeout is { } timeout && _shards.Clock.GetElapsedTime(_startedAt) >= timeout)
        {
            throw new ShardMapChangedException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"A command was repeated for {timeout.TotalSeconds:0} s, its timeout, and its shard still does not own what it needs ({difference}); the shard maps here are of epoch {_shards.Database.Picture.Epoch}. ")
                + (_unreachable is null
                    ? "If a change of the map was interrupted, complete it by Database.ResumeShardMapChangeAsync(...); if the database is not the shard it is taken for, correct AddShard(...)."
                    : $"The catalog does not answer ({NodeError.Describe(_unreachable)}): start its server, so that the present maps can be loaded."),
                exception);
        }

        _shards.Logger.ShardMapWasStale(difference);
        return _shards.Database.Picture.Epoch;
    }

    // New maps are tried at once.
    private TimeSpan? PauseAfter(long epoch)
    {
        if (_shards.Database.Picture.Epoch != epoch)
        {
            _pause = _firstPause;
            return null;
        }

        var pause = _pause;
        _pause = TimeSpan.FromTicks(Math.Min(_longestPause.Ticks, pause.Ticks * 2));
        return pause;
    }
}
