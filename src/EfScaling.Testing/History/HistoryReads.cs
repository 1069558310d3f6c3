using EfScaling.Consistency;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Testing.History;

/// <summary>The reads of one client, in every shape that a query may have.</summary>
internal sealed class HistoryReads(int client, HistoryWrites writes, int clients, HistoryRecorder recorder)
{
    // What a cache answers is asked again, as an application asks its favourite queries.
    private const int MostAgain = 300;

    // An application that works on each row gives writes the time to come between a read and its end.
    private static readonly TimeSpan _slowness = TimeSpan.FromMilliseconds(20);

    // Each limit is compiled as a query of its own.
    private static readonly TimeSpan[] _limits = [TimeSpan.FromMilliseconds(200), TimeSpan.FromMilliseconds(500), TimeSpan.FromSeconds(3)];

    /// <summary>Reads once, or several times what a cache answers.</summary>
    /// <returns>Whether the reads succeeded.</returns>
    public async Task<bool> ReadAsync(DbContext context, HistorySession session)
    {
        var random = session.Random;
        var (contract, limit) = PickContract(random, session.Application.MaxStaleness);

        // What was written last is what a session is most likely to miss.
        var board = random.Next(2) == 0 ? client : random.Next(1, clients + 1);
        var id = board == client && random.Next(2) == 0 ? writes.LastWritten : HistoryClient.RegistersOf(board)[random.Next(HistoryClient.RegistersOfEach)];
        var how = PickShape(random);
        var again = session.Application.CachesReads ? random.Next(MostAgain) : 0;
        var isHit = await ReadAsync(context, session, how, id, board, contract, limit, isSlow: session.Application.CachesReads).ConfigureAwait(false);
        while (isHit == true && again-- > 0)
        {
            isHit = await ReadAsync(context, session, how, id, board, contract, limit, isSlow: false).ConfigureAwait(false);
        }

        return isHit is not null;
    }

    // Whether a cache answered; null if the read failed.
    private async Task<bool?> ReadAsync(DbContext context, HistorySession session, string how, int id, int board, ReadContract contract, TimeSpan? limit, bool isSlow)
    {
        var started = recorder.Now;
        try
        {
            var values = await ReadAsync(context, how, id, board, contract, limit == session.Application.MaxStaleness ? null : limit, session.Application.CachesReads, isSlow).ConfigureAwait(false);
            Note(new HistoryEvent
            {
                Operation = HistoryOperation.Read,
                How = how,
                Command = recorder.NextCommand(),
                Client = client,
                Session = session.Number,
                Cache = session.Application.Cache,
                Contract = contract,
                Limit = limit,
                Routing = context.Database.LastRouting(),
                Started = started,
                Ended = recorder.Now,
            }, values);
            return context.Database.LastRouting() is { Role: NodeRole.Cache };
        }
        catch (Exception exception) when (HistoryClient.IsFailure(exception))
        {
            recorder.Failed($"{contract} {how}", exception);
            return null;
        }
    }

    private void Note(HistoryEvent read, IEnumerable<(int Register, long Value)> values)
    {
        foreach (var (register, value) in values)
        {
            recorder.Add(read with { Register = register, Value = value });
        }
    }

    private static (ReadContract Contract, TimeSpan? Limit) PickContract(Random random, TimeSpan usual) => random.Next(20) switch
    {
        < 12 => (ReadContract.Session, usual),
        < 14 => (ReadContract.Session, _limits[random.Next(_limits.Length)]),
        < 17 => (ReadContract.MaxStaleness, _limits[random.Next(_limits.Length)]),
        < 18 => (ReadContract.Any, null),
        _ => (ReadContract.Primary, null),
    };

    private static string PickShape(Random random) => random.Next(20) switch
    {
        < 10 => "single value",
        < 11 => "synchronous value",
        < 13 => "aggregate",
        < 15 => "tracked entity",
        < 17 => "list",
        < 18 => "split query",
        < 19 => "stream",
        _ => "list with Include",
    };

    private static async Task<IReadOnlyList<(int Register, long Value)>> ReadAsync(
        DbContext context, string how, int id, int board, ReadContract contract, TimeSpan? limit, bool isCached, bool isSlow)
    {
        var registers = With(context.Set<HistoryRegister>(), contract, limit, isCached);
        switch (how)
        {
            case "single value":
                return [(id, await registers.Where(r => r.Id == id).Select(r => r.Version).SingleAsync().ConfigureAwait(false))];
            case "synchronous value":
                return [(id, registers.Where(r => r.Id == id).Select(r => r.Version).Single())];
            case "aggregate":
                return [(id, await registers.Where(r => r.Id == id).MaxAsync(r => r.Version).ConfigureAwait(false))];
            case "tracked entity":
                // An entity that is tracked already would keep the values it was read with.
                context.ChangeTracker.Clear();
                return [(id, (await registers.SingleAsync(r => r.Id == id).ConfigureAwait(false)).Version)];
            case "list":
                return ValuesOf(await registers.AsNoTracking().Where(r => r.BoardId == board).ToListAsync().ConfigureAwait(false));
            case "stream":
                var streamed = new List<HistoryRegister>();
                await foreach (var register in registers.AsNoTracking().Where(r => r.BoardId == board).AsAsyncEnumerable().ConfigureAwait(false))
                {
                    streamed.Add(register);
                    if (isSlow)
                    {
                        await Task.Delay(_slowness).ConfigureAwait(false);
                    }
                }

                return ValuesOf(streamed);
            default:
                var boards = With(context.Set<HistoryBoard>(), contract, limit, isCached).AsNoTracking().Include(b => b.Registers).Where(b => b.Id == board);
                return ValuesOf((await (how == "split query" ? boards.AsSplitQuery() : boards).SingleAsync().ConfigureAwait(false)).Registers);
        }
    }

    private static IQueryable<T> With<T>(IQueryable<T> query, ReadContract contract, TimeSpan? limit, bool isCached)
        where T : class
    {
        var source = isCached ? query.Cacheable() : query;
        var marked = contract == ReadContract.Session ? source : contract == ReadContract.Primary ? source.AsPrimary() : source.WithContract(contract);
        return limit is { } time ? marked.WithMaxStaleness(time) : marked;
    }

    private static List<(int Register, long Value)> ValuesOf(IEnumerable<HistoryRegister> registers) => [.. registers.Select(r => (r.Id, r.Version))];
}
