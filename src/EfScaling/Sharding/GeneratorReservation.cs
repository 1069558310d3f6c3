// The semaphore holds no handle: nobody asks for one.
#pragma warning disable CA1001

using System.Collections.Concurrent;
using System.Data.Common;
using System.Globalization;
using System.Transactions;
using Npgsql;

namespace EfScaling.Sharding;

/// <summary>Makes ids with a generator's number that no other process has, and sees to it that it is never used beyond the time for which it is reserved.</summary>
/// <param name="source">Leads to the primary of the default shard.</param>
/// <param name="shard">The name of the default shard.</param>
/// <param name="clock">Tells the time.</param>
/// <param name="number">The number that the application has given to the process; <see langword="null"/> to reserve one.</param>
/// <remarks>
/// Thread-safe; one for each sharded database in a process. A reservation is made longer in the background when half of it is left; the caller who finds none waits for it.
/// A default shard that is down stops new ids only when the reservation has run out. Ids stay unique whatever the clock does, and those of a bucket rise.
/// </remarks>
internal sealed class GeneratorReservation(DbDataSource source, string shard, TimeProvider clock, int? number = null)
{
    private const long Length = 60_000;

    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan _longestPause = TimeSpan.FromSeconds(1);

    // Of a number that the application has given to the process there is one generator, whatever contexts use it.
    private static readonly ConcurrentDictionary<(int Number, TimeProvider Clock), ShardedIdGenerator> _given = new();

    private readonly SemaphoreSlim _gate = new(1);
    private volatile ShardedIdGenerator? _generator = number is { } own ? _given.GetOrAdd((own, clock), static g => new ShardedIdGenerator(g.Number, g.Clock)) : null;
    private int _isExtending;

    /// <summary>Makes the next id of a bucket.</summary>
    /// <exception cref="InvalidOperationException">There is no number to be had.</exception>
    public long Next(int bucket)
    {
        long id;
        var tries = new Tries(clock);
        while (!TryNext(bucket, out id))
        {
            if (!Reserve())
            {
                tries.Pause(NextFree());
            }
        }

        return id;
    }

    /// <inheritdoc cref="Next" />
    public async ValueTask<long> NextAsync(int bucket, CancellationToken cancellationToken)
    {
        long id;
        var tries = new Tries(clock);
        while (!TryNext(bucket, out id))
        {
            if (!await ReserveAsync(cancellationToken).ConfigureAwait(false))
            {
                await tries.PauseAsync(await NextFreeAsync(cancellationToken).ConfigureAwait(false), cancellationToken).ConfigureAwait(false);
            }
        }

        return id;
    }

    private bool TryNext(int bucket, out long id)
    {
        id = 0;
        if (_generator is not { } generator || !generator.TryNext(bucket, out id))
        {
            return false;
        }

        if (generator.Limit - ShardedId.MillisecondOf(id) < Length / 2 && Interlocked.Exchange(ref _isExtending, 1) == 0)
        {
            using (ExecutionContext.SuppressFlow())
            {
                _ = Task.Run(ExtendAsync);
            }
        }

        return true;
    }

    private async Task ExtendAsync()
    {
        var isDone = false;
        try
        {
            isDone = await ReserveAsync(CancellationToken.None).ConfigureAwait(false);
        }
#pragma warning disable CA1031 // The one who finds nothing left tries again, and is told why it fails.
        catch (Exception)
#pragma warning restore CA1031
        {
            // As if no number were free.
        }

        if (!isDone)
        {
            await Task.Delay(_longestPause, clock).ConfigureAwait(false);
        }

        Volatile.Write(ref _isExtending, 0);
    }

    // Returns false if no number is free.
    private bool Reserve()
    {
        var seen = (_generator, _generator?.Limit);
        _gate.Wait();
        try
        {
            if (seen != (_generator, _generator?.Limit))
            {
                return true;
            }

            using var alone = Alone();
            if (_generator is { } generator && Read(GeneratorTable.Extend, Extending(generator)) is [var until])
            {
                generator.Limit = until;
                return true;
            }

            return Begin(Read(GeneratorTable.Claim, Claiming()));
        }
        catch (DbException failure)
        {
            throw NotReserved(failure);
        }
        finally
        {
            _gate.Release();
        }
    }

    private async Task<bool> ReserveAsync(CancellationToken cancellationToken)
    {
        var seen = (_generator, _generator?.Limit);
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (seen != (_generator, _generator?.Limit))
            {
                return true;
            }

            using var alone = Alone();
            if (_generator is { } generator && await ReadAsync(GeneratorTable.Extend, Extending(generator), cancellationToken).ConfigureAwait(false) is [var until])
            {
                generator.Limit = until;
                return true;
            }

            return Begin(await ReadAsync(GeneratorTable.Claim, Claiming(), cancellationToken).ConfigureAwait(false));
        }
        catch (DbException failure)
        {
            throw NotReserved(failure);
        }
        finally
        {
            _gate.Release();
        }
    }

    private bool Begin(long[] claimed)
    {
        if (claimed is not [var number, var behind, var until])
        {
            return false;
        }

        _generator = new ShardedIdGenerator((int)number, clock, behind) { Limit = until };
        return true;
    }

    private (string Name, long Value)[] Extending(ShardedIdGenerator generator) =>
        [("number", generator.Number), ("until", generator.Limit), ("now", Now), ("length", Length)];

    // Behind all ids of the number before, so that those of a bucket rise.
    private (string Name, long Value)[] Claiming() => [("now", Now), ("behind", _generator?.UsedMillisecond ?? 0), ("length", Length)];

    private long Now => ShardedId.MillisecondOf(clock.GetUtcNow());

    private long NextFree()
    {
        using var alone = Alone();
        return Read(GeneratorTable.NextFree, []) is [var next] ? next - Now : 0;
    }

    private async Task<long> NextFreeAsync(CancellationToken cancellationToken)
    {
        using var alone = Alone();
        return await ReadAsync(GeneratorTable.NextFree, [], cancellationToken).ConfigureAwait(false) is [var next] ? next - Now : 0;
    }

    // A transaction of the application's that is rolled back would give a number back whose ids are used.
    private static TransactionScope Alone() => new(TransactionScopeOption.Suppress, TransactionScopeAsyncFlowOption.Enabled);

    private long[] Read(string sql, (string Name, long Value)[] parameters)
    {
        try
        {
            using var command = CommandOf(sql, parameters);
            using var reader = command.ExecuteReader();
            return reader.Read() ? RowOf(reader) : [];
        }
        catch (PostgresException missing) when (IsMissingTable(missing))
        {
            using (var create = source.CreateCommand(GeneratorTable.Create))
            {
                create.ExecuteNonQuery();
            }

            using var command = CommandOf(sql, parameters);
            using var reader = command.ExecuteReader();
            return reader.Read() ? RowOf(reader) : [];
        }
    }

    private async Task<long[]> ReadAsync(string sql, (string Name, long Value)[] parameters, CancellationToken cancellationToken)
    {
        try
        {
            return await ReadOnceAsync(sql, parameters, cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresException missing) when (IsMissingTable(missing))
        {
            var create = source.CreateCommand(GeneratorTable.Create);
            await using (create.ConfigureAwait(false))
            {
                await create.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            }

            return await ReadOnceAsync(sql, parameters, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<long[]> ReadOnceAsync(string sql, (string Name, long Value)[] parameters, CancellationToken cancellationToken)
    {
        var command = CommandOf(sql, parameters);
        await using (command.ConfigureAwait(false))
        {
            var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                return await reader.ReadAsync(cancellationToken).ConfigureAwait(false) ? RowOf(reader) : [];
            }
        }
    }

    private DbCommand CommandOf(string sql, (string Name, long Value)[] parameters)
    {
        var command = source.CreateCommand(sql);
        foreach (var (name, value) in parameters)
        {
            command.Parameters.Add(new NpgsqlParameter<long>(name, value));
        }

        return command;
    }

    private static long[] RowOf(DbDataReader reader)
    {
        var row = new long[reader.FieldCount];
        for (var i = 0; i < row.Length; i++)
        {
            row[i] = Convert.ToInt64(reader.GetValue(i), CultureInfo.InvariantCulture);
        }

        return row;
    }

    private static bool IsMissingTable(PostgresException failure) => failure.SqlState is PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.InvalidSchemaName;

    private InvalidOperationException NotReserved(DbException failure) => new(
        $"An id was to be made, but no generator's number could be reserved on the default shard '{shard}', in 'efscaling.id_generator'. Mend what the inner exception tells, or give each process a number of its own by GeneratorNumber(...).",
        failure);

    // Waits for a number to become free, up to a limit.
    private readonly struct Tries(TimeProvider clock)
    {
        private readonly long _start = clock.GetTimestamp();

        public void Pause(long milliseconds)
        {
            using var never = new ManualResetEventSlim();
            never.Wait(PauseOf(milliseconds));
        }

        public Task PauseAsync(long milliseconds, CancellationToken cancellationToken) => Task.Delay(PauseOf(milliseconds), cancellationToken);

        private TimeSpan PauseOf(long milliseconds) =>
            clock.GetElapsedTime(_start) < _patience
                ? TimeSpan.FromMilliseconds(Math.Clamp(milliseconds, 20, _longestPause.TotalMilliseconds))
                : throw new InvalidOperationException(
                    "An id was to be made, but all numbers of generators in 'efscaling.id_generator' are in use, or the clock is behind those of their holders. Set the clock right, wait until processes that have ended give theirs up, which takes a minute, or make fewer processes write.");
    }
}
