using EfScaling.Benchmarks.Servers;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Benchmarks.Questions;

/// <summary>A query in its synchronous and its asynchronous form.</summary>
/// <param name="Name">What the result table calls it.</param>
/// <param name="Read">Runs it for a key.</param>
/// <param name="ReadAsync">Runs it for a key.</param>
internal sealed record ReadShape(string Name, Action<ItemContext, int> Read, Func<ItemContext, int, Task> ReadAsync)
{
    private const int ManyRows = 100;

    public static IReadOnlyList<ReadShape> SingleRow { get; } =
    [
        new(
            "entity",
            (context, id) => context.Items.AsNoTracking().First(i => i.Id == id),
            (context, id) => context.Items.AsNoTracking().FirstAsync(i => i.Id == id)),
        new(
            "projection",
            (context, id) => context.Items.Where(i => i.Id == id).Select(i => new ItemName(i.Id, i.Name, i.Price, i.Stock, i.AddedAt)).First(),
            (context, id) => context.Items.Where(i => i.Id == id).Select(i => new ItemName(i.Id, i.Name, i.Price, i.Stock, i.AddedAt)).FirstAsync()),
    ];

    public static IReadOnlyList<ReadShape> HundredRows { get; } =
    [
        new(
            "entity",
            (context, id) => context.Items.AsNoTracking().Where(i => i.Id >= id && i.Id < id + ManyRows).ToList(),
            (context, id) => context.Items.AsNoTracking().Where(i => i.Id >= id && i.Id < id + ManyRows).ToListAsync()),
        new(
            "projection",
            (context, id) => context.Items.Where(i => i.Id >= id && i.Id < id + ManyRows).Select(i => new ItemName(i.Id, i.Name, i.Price, i.Stock, i.AddedAt)).ToList(),
            (context, id) => context.Items.Where(i => i.Id >= id && i.Id < id + ManyRows).Select(i => new ItemName(i.Id, i.Name, i.Price, i.Stock, i.AddedAt)).ToListAsync()),
    ];
}
