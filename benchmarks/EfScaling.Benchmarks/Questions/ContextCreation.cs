using System.Globalization;
using EfScaling.Benchmarks.Measuring;
using EfScaling.Benchmarks.Servers;

namespace EfScaling.Benchmarks.Questions;

/// <summary>What does <c>UseReadReplicas</c> in <c>OnConfiguring</c> add to the creation of a context? No server takes part.</summary>
internal sealed class ContextCreation : IQuestion
{
    private const int BlockSize = 500;
    private const double MaxMicroseconds = 1;
    private const string Primary = "Host=primary;Database=app;Username=app;Password=secret";
    private static readonly string[] _replicas =
    [
        "Host=replica1;Database=app;Username=app;Password=secret",
        "Host=replica2;Database=app;Username=app;Password=secret",
    ];

    public string Title => "Context creation with UseReadReplicas in OnConfiguring";

    public async Task<IReadOnlyList<Figure>> AnswerAsync(Effort effort)
    {
        (string Name, Action<ItemContext> Touch)[] depths =
        [
            ("created and disposed", _ => { }),
            ("created, Model touched, disposed", context => _ = context.Model),
            ("created, ChangeTracker touched, disposed", context => _ = context.ChangeTracker),
        ];
        var variants = depths.Select(d => (d.Name, Pair: new InterleavedPair(Block([], d.Touch), Block(_replicas, d.Touch), BlockSize))).ToList();
        var control = new InterleavedPair(Block([], depths[1].Touch), Block([], depths[1].Touch), BlockSize);
        variants.Add(("control: plain EF against itself, Model touched", control));
        await InterleavedPair.MeasureAsync([.. variants.Select(v => v.Pair)], effort);

        var figures = new List<Figure>();
        foreach (var (name, pair) in variants)
        {
            // Nothing here waits, so the processor time is the time, and another program on the same core does not count.
            var added = pair.ProcessorDifference;
            var bytes = await pair.AllocationsAsync(rounds: 5);
            figures.Add(new Figure(
                name,
                ReferenceEquals(pair, control) ? null : string.Create(CultureInfo.InvariantCulture, $"≤ +{MaxMicroseconds:0} µs"),
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{added.ToString("+0.00;-0.00;0.00")} µs on {pair.BaselineProcessorTime.Median:0.00} µs; {bytes.Median:+0;-0;0} B"),
                added.Median <= MaxMicroseconds));
        }

        return figures;
    }

    private static Func<int, Task> Block(string[] replicas, Action<ItemContext> touch) => count =>
    {
        for (var i = 0; i < count; i++)
        {
            using var context = new SelfConfiguredContext(Primary, replicas);
            touch(context);
        }

        return Task.CompletedTask;
    };
}
