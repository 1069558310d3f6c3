using System.Globalization;
using EfScaling.Benchmarks.Measuring;
using EfScaling.Benchmarks.Servers;

namespace EfScaling.Benchmarks.Questions;

/// <summary>What do a thousand shards cost a process that has just started?</summary>
/// <remarks>Processes of their own, one kind after the other: plain EF over one database, one shard, a thousand shards. All shards are that database.</remarks>
internal sealed class ThousandShards : IQuestion
{
    private const int Shards = 1_000;
    private const double MaxRatio = 1.2;
    private const double MaxMegabytes = 20;

    public string Title => "A process with 1,000 shards, against one with plain EF over one database";

    public async Task<IReadOnlyList<Figure>> AnswerAsync(Effort effort)
    {
        await using var servers = await ItemServers.StartAsync(standbys: 0);
        var database = servers.Cluster.Primary.ConnectionString;
        var rounds = effort.Rounds * 4;
        var (plain, one, thousand) = (new List<ShardsFigures>(), new List<ShardsFigures>(), new List<ShardsFigures>());
        for (var round = 0; round <= rounds; round++)
        {
            var (p, o, t) = (await ShardsProcess.RunAsync(database, 0), await ShardsProcess.RunAsync(database, 1), await ShardsProcess.RunAsync(database, Shards));

            // The first round brings the files into memory.
            if (round > 0)
            {
                plain.Add(p);
                one.Add(o);
                thousand.Add(t);
            }
        }

        // The processor time decides: another program on the same core does not count.
        var start = Estimate.Of(thousand.Zip(plain, (t, p) => t.ProcessorMilliseconds / p.ProcessorMilliseconds));
        var startOfOne = Estimate.Of(one.Zip(plain, (o, p) => o.ProcessorMilliseconds / p.ProcessorMilliseconds));
        var elapsed = Estimate.Of(thousand.Zip(plain, (t, p) => t.Milliseconds / p.Milliseconds));
        var memory = Estimate.Of(thousand.Zip(plain, (t, p) => (t.Bytes - p.Bytes) / 1e6));
        var memoryOfAll = Estimate.Of(thousand.Zip(plain, (t, p) => (t.BytesOfAll - p.Bytes) / 1e6));
        return
        [
            new("models and internal service providers of EF", "1 and 1", $"{thousand.Max(t => t.Models)} and {thousand.Max(t => t.Providers)}", thousand.TrueForAll(t => t is { Models: 1, Providers: 1 })),
            new(
                "from configuration to the answer of the first query, processor time",
                string.Create(CultureInfo.InvariantCulture, $"≤ {MaxRatio:0.0}"),
                string.Create(CultureInfo.InvariantCulture, $"{start.ToString("0.000")}; {Median(plain):0} ms, {Median(one):0} ms with one shard, {Median(thousand):0} ms with {Shards:N0}"),
                start.Median <= MaxRatio),
            new("the same with one shard", null, startOfOne.ToString("0.000")),
            new("the same with 1,000 shards by the clock", null, elapsed.ToString("0.000")),
            new(
                "managed memory after the first query",
                string.Create(CultureInfo.InvariantCulture, $"≤ +{MaxMegabytes:0} MB"),
                $"{memory.ToString("+0.00;-0.00")} MB",
                memory.Median <= MaxMegabytes),
            new(
                "managed memory with a context of each shard in its pool",
                null,
                $"{memoryOfAll.ToString("+0.00;-0.00")} MB"),
        ];
    }

    private static double Median(List<ShardsFigures> figures) => Estimate.Of(figures.Select(f => f.ProcessorMilliseconds)).Median;
}
