using System.Data.Common;
using System.Security.Cryptography;
using EfScaling.Consistency;
using EfScaling.Replication;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Testing.History;

/// <summary>One user: has sessions one after another, in which it writes its own registers and reads everybody's.</summary>
/// <remarks>What it does follows from the seed; when it does so does not.</remarks>
internal sealed class HistoryClient
{
    public const int RegistersOfEach = 4;

    private readonly IReadOnlyList<HistoryApplication> _applications;
    private readonly HistoryRecorder _recorder;
    private readonly Random _random;
    private readonly HistoryReads _reads;
    private readonly HistoryWrites _writes;
    private readonly ConsistencyTokenProtector _protector = new(RandomNumberGenerator.GetBytes(32));

    public HistoryClient(int number, HistoryRunOptions options, IReadOnlyList<HistoryApplication> applications, HistoryRecorder recorder, WriteGate gate)
    {
        Number = number;
        Registers = RegistersOf(number);
        _applications = applications;
        _recorder = recorder;
        _random = new Random(unchecked((options.Seed * 397) + number));
        _writes = new HistoryWrites(number, Registers, recorder, gate);
        _reads = new HistoryReads(number, _writes, options.Clients, recorder);
    }

    /// <summary>Gets the client's number, from one.</summary>
    public int Number { get; }

    /// <summary>Gets the registers that this client alone writes.</summary>
    public IReadOnlyList<int> Registers { get; }

    /// <summary>Returns the registers of a client.</summary>
    public static IReadOnlyList<int> RegistersOf(int client) => [.. Enumerable.Range(client * RegistersOfEach, RegistersOfEach)];

    /// <summary>Whether an exception is what a server or the router reports to an application, and no mistake of the run.</summary>
    public static bool IsFailure(Exception? exception) =>
        exception is DbException or DbUpdateException or NoEligibleNodeException or TimeoutException or IOException
        || (exception?.InnerException is { } inner && IsFailure(inner));

    /// <summary>Works until the end, and completes what it has begun.</summary>
    public async Task WorkAsync(CancellationToken end)
    {
        while (!end.IsCancellationRequested)
        {
            var session = _recorder.NextSession();
            if (_random.Next(4) == 0)
            {
                await WorkWithoutAmbientAsync(session, end).ConfigureAwait(false);
            }
            else
            {
                await WorkWithAmbientAsync(session, end).ConfigureAwait(false);
            }
        }
    }

    // Several requests of one user: each has an ambient session of its own and hands its token to the next, perhaps in another process.
    private async Task WorkWithAmbientAsync(int session, CancellationToken end)
    {
        string? text = null;
        for (var request = _random.Next(1, 5); request > 0 && !end.IsCancellationRequested; request--)
        {
            using var ambient = ConsistencySession.Begin(_protector.Unprotect(text));
            for (var contexts = _random.Next(1, 4); contexts > 0 && !end.IsCancellationRequested; contexts--)
            {
                var writer = new HistorySession(session, PickApplication(), new Random(_random.Next()), Writes: true);
                var reader = new HistorySession(session, PickApplication(), new Random(_random.Next()), Writes: false);
                HistorySession[] atOnce = _random.Next(3) == 0 ? [writer, reader] : [writer];
                await Task.WhenAll(atOnce.Select(s => WorkAsync(s, token: null, end))).ConfigureAwait(false);
            }

            text = _protector.Protect(await ambient.GetTokenAsync(CancellationToken.None).ConfigureAwait(false));
        }
    }

    // Contexts that know of each other only what their tokens say.
    private async Task WorkWithoutAmbientAsync(int session, CancellationToken end)
    {
        var token = ConsistencyToken.None;
        for (var contexts = _random.Next(1, 4); contexts > 0 && !end.IsCancellationRequested; contexts--)
        {
            token = await WorkAsync(new HistorySession(session, PickApplication(), _random, Writes: true), token, end).ConfigureAwait(false);
        }
    }

    private HistoryApplication PickApplication() => _applications[_random.Next(_applications.Count)];

    // One unit of work.
    private async Task<ConsistencyToken> WorkAsync(HistorySession session, ConsistencyToken? token, CancellationToken end)
    {
        var context = session.Application.CreateContext();
        await using (context.ConfigureAwait(false))
        {
            if (token is not null)
            {
                context.Database.UseConsistencyToken(token);
            }

            // Short units of work hand over soon after they wrote; long ones make the most of what a context costs.
            var isShort = session.Random.Next(2) == 0;
            var (commands, writeEvery) = isShort ? (session.Random.Next(2, 8), 4) : (session.Random.Next(10, 100), 40);
            if (session.Application.CachesReads)
            {
                // A read is many there.
                writeEvery = Math.Min(writeEvery, 5);
            }

            for (var isWhole = true; commands > 0 && isWhole && !end.IsCancellationRequested; commands--)
            {
                isWhole = session.Writes && session.Random.Next(writeEvery) == 0
                    ? await _writes.WriteAsync(context, session).ConfigureAwait(false)
                    : await _reads.ReadAsync(context, session).ConfigureAwait(false);
            }

            return await context.Database.GetConsistencyTokenAsync(CancellationToken.None).ConfigureAwait(false);
        }
    }
}
