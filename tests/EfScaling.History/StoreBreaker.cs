using System.Diagnostics;
using EfScaling.Testing;
using EfScaling.Testing.History;

namespace EfScaling.History;

/// <summary>Breaks the store of a query cache and the ways to it, one fault after the other, and mends them.</summary>
/// <param name="redis">The server; <see langword="null"/> with sentinels.</param>
/// <param name="sentinels">The servers with sentinels; <see langword="null"/> without.</param>
/// <param name="toStore">The second process's way to the server; <see langword="null"/> with sentinels.</param>
/// <param name="toPrimary">The second process's way to the primary.</param>
/// <param name="faults">The faults: each once, in a random order, and again.</param>
/// <param name="seed">What the order follows from.</param>
/// <param name="calm">How long nothing is broken after a fault.</param>
public sealed class StoreBreaker(
    RedisServer? redis, RedisSentinelCluster? sentinels, TcpProxy? toStore, TcpProxy toPrimary, IReadOnlyList<StoreFault> faults, int seed, TimeSpan calm)
{
    // Longer than a process relies on a connection that is silent.
    private static readonly TimeSpan _silence = TimeSpan.FromSeconds(3);

    // What the server itself takes; a little more holds a few entries.
    private const string LittleMemory = "1500kb";

    /// <summary>Breaks and mends until the end.</summary>
    public async Task RunAsync(HistoryRecorder recorder, CancellationToken end)
    {
        var random = new Random(seed);
        StoreFault[] round = [.. faults];
        while (round.Length > 0 && !end.IsCancellationRequested)
        {
            random.Shuffle(round);
            foreach (var fault in round)
            {
                await LastAsync(random.NextDouble() * calm / 2, end);
                if (end.IsCancellationRequested)
                {
                    break;
                }

                var started = recorder.Now;
                await InjectAsync(fault, TimeSpan.FromMilliseconds(random.Next(300, 1_500)), end);
                recorder.Add(new HistoryEvent { Operation = HistoryOperation.Fault, How = $"{fault} of the store", IsUnpublished = true, Started = started, Ended = recorder.Now });
                await LastAsync(calm, end);
            }
        }
    }

    private async Task InjectAsync(StoreFault fault, TimeSpan duration, CancellationToken end)
    {
        switch (fault)
        {
            case StoreFault.Kill:
                await Server.KillAsync();
                await LastAsync(duration, end);
                await Server.StartAsync(CancellationToken.None);
                break;
            case StoreFault.Restart:
                await Server.StopAsync(CancellationToken.None);
                await Server.StartAsync(CancellationToken.None);
                break;
            case StoreFault.Suspend:
                await Server.SuspendAsync();
                await LastAsync(duration * 2, end);
                await Server.ContinueAsync();
                break;
            case StoreFault.Flush:
                await (await MasterAsync()).ExecuteAsync("FLUSHALL");
                break;
            case StoreFault.Evict:
                await LimitAsync("allkeys-lru", duration * 2, end);
                break;
            case StoreFault.Full:
                await LimitAsync("noeviction", duration, end);
                break;
            case StoreFault.Silence:
                toStore!.HalfOpen();
                await LastAsync(_silence, end);
                toStore.Restore();
                break;
            case StoreFault.Cut:
                await toStore!.CutAsync();
                await LastAsync(_silence, end);
                toStore.Restore();
                break;
            case StoreFault.CutPrimary:
                await toPrimary.CutAsync();
                await LastAsync(duration / 4, end);
                toPrimary.Restore();
                break;
            case StoreFault.FailOver:
                await sentinels!.FailOverAsync(CancellationToken.None);
                break;
            case StoreFault.KillMaster or StoreFault.SuspendMaster:
                var master = await MasterAsync();
                await (fault == StoreFault.KillMaster ? master.KillAsync() : master.SuspendAsync());
                await sentinels!.WaitForNewMasterAsync(master, timeout: null, CancellationToken.None);
                await (fault == StoreFault.KillMaster ? master.StartAsync(CancellationToken.None) : master.ContinueAsync());
                break;
            default:
                throw new UnreachableException();
        }
    }

    private RedisServer Server => redis ?? throw new InvalidOperationException("This fault needs a server without sentinels.");

    private async Task<RedisServer> MasterAsync() => redis ?? await sentinels!.GetMasterAsync(CancellationToken.None);

    private async Task LimitAsync(string policy, TimeSpan duration, CancellationToken end)
    {
        var master = await MasterAsync();
        await master.ExecuteAsync("CONFIG", "SET", "maxmemory-policy", policy);
        await master.ExecuteAsync("CONFIG", "SET", "maxmemory", policy == "noeviction" ? "1" : LittleMemory);
        await LastAsync(duration, end);
        await master.ExecuteAsync("CONFIG", "SET", "maxmemory", "0");
    }

    private static async Task LastAsync(TimeSpan time, CancellationToken end) => await Task.Delay(time, end).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
}
