using System.Diagnostics;
using EfScaling.Benchmarks.Measuring;
using EfScaling.Routing;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Benchmarks.Servers;

/// <summary>Workers that read with a new context each time, think for a moment, and note every read.</summary>
/// <param name="options">Options of the contexts.</param>
/// <param name="workers">How many read at the same time.</param>
/// <param name="read">One read; its value is noted.</param>
internal sealed class ReadLoad(DbContextOptions<ItemContext> options, int workers, Func<ItemContext, Task<long>> read)
{
    private readonly List<Task<List<TimedRead>>> _running = [];
    private volatile bool _isOver;

    /// <summary>Begins to read.</summary>
    public void Start() => _running.AddRange(Enumerable.Range(0, workers).Select(w => Task.Run(() => WorkAsync(w))));

    /// <summary>Ends the load.</summary>
    /// <returns>Every read, in the order in which they began.</returns>
    public async Task<IReadOnlyList<TimedRead>> StopAsync()
    {
        _isOver = true;
        return [.. (await Task.WhenAll(_running)).SelectMany(r => r).OrderBy(r => r.StartedAt)];
    }

    private async Task<List<TimedRead>> WorkAsync(int worker)
    {
        var reads = new List<TimedRead>(capacity: 100_000);
        while (!_isOver)
        {
            reads.Add(await ReadAsync());
            await Task.Delay(1 + ((reads.Count + worker) % 2));
        }

        return reads;
    }

    private async Task<TimedRead> ReadAsync()
    {
        var start = Stopwatch.GetTimestamp();
        var value = 0L;
        RoutingDecision? routing;
        string? failure = null;
        await using (var context = new ItemContext(options))
        {
            try
            {
                value = await read(context);
            }
            catch (Exception exception) when (exception is not OutOfMemoryException)
            {
                failure = exception.GetBaseException().Message;
            }

            routing = context.Database.LastRouting();
        }

        return new TimedRead(start, Stopwatch.GetTimestamp(), value, routing, failure);
    }
}
