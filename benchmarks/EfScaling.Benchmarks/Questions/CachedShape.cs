using EfScaling.Benchmarks.Servers;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Benchmarks.Questions;

/// <summary>A query as plain EF runs it and the same query as the cache may answer it.</summary>
/// <param name="Name">What the result table calls it.</param>
/// <param name="Rows">How many rows it returns.</param>
/// <param name="Plain">The query without the cache.</param>
/// <param name="Cached">The query with it.</param>
internal sealed record CachedShape(string Name, int Rows, ReadShape Plain, ReadShape Cached)
{
    private const int ManyRows = 100;

    /// <summary>Gets the shapes that repeat for the same key.</summary>
    public static IReadOnlyList<CachedShape> Repeating { get; } =
    [
        new(
            "1 row, entity",
            1,
            ReadShape.SingleRow[0],
            new(
                "cached",
                (context, id) => context.Items.AsNoTracking().Cacheable().First(i => i.Id == id),
                (context, id) => context.Items.AsNoTracking().Cacheable().FirstAsync(i => i.Id == id))),
        new(
            "1 row, projection",
            1,
            ReadShape.SingleRow[1],
            new(
                "cached",
                (context, id) => context.Items.Where(i => i.Id == id).Select(i => new ItemName(i.Id, i.Name, i.Price, i.Stock, i.AddedAt)).Cacheable().First(),
                (context, id) => context.Items.Where(i => i.Id == id).Select(i => new ItemName(i.Id, i.Name, i.Price, i.Stock, i.AddedAt)).Cacheable().FirstAsync())),
        new(
            "100 rows, entity",
            ManyRows,
            ReadShape.HundredRows[0],
            new(
                "cached",
                (context, id) => context.Items.AsNoTracking().Where(i => i.Id >= id && i.Id < id + ManyRows).Cacheable().ToList(),
                (context, id) => context.Items.AsNoTracking().Where(i => i.Id >= id && i.Id < id + ManyRows).Cacheable().ToListAsync())),
        new(
            "100 rows, projection",
            ManyRows,
            ReadShape.HundredRows[1],
            new(
                "cached",
                (context, id) => context.Items.Where(i => i.Id >= id && i.Id < id + ManyRows).Select(i => new ItemName(i.Id, i.Name, i.Price, i.Stock, i.AddedAt)).Cacheable().ToList(),
                (context, id) => context.Items.Where(i => i.Id >= id && i.Id < id + ManyRows).Select(i => new ItemName(i.Id, i.Name, i.Price, i.Stock, i.AddedAt)).Cacheable().ToListAsync())),
    ];

    /// <summary>Gets shapes whose second parameter, which changes nothing, is the number that they are given.</summary>
    public static IReadOnlyList<CachedShape> Unique { get; } =
    [
        new(
            "1 row, entity",
            1,
            new(
                "plain",
                (context, number) => context.Items.AsNoTracking().First(i => i.Id == (number % 1000) + 1 && i.Stock >= -number),
                (context, number) => context.Items.AsNoTracking().FirstAsync(i => i.Id == (number % 1000) + 1 && i.Stock >= -number)),
            new(
                "cached",
                (context, number) => context.Items.AsNoTracking().Cacheable().First(i => i.Id == (number % 1000) + 1 && i.Stock >= -number),
                (context, number) => context.Items.AsNoTracking().Cacheable().FirstAsync(i => i.Id == (number % 1000) + 1 && i.Stock >= -number))),
        new(
            "100 rows, entity",
            ManyRows,
            new(
                "plain",
                (context, number) => context.Items.AsNoTracking().Where(i => i.Id > number % 1000 && i.Id <= (number % 1000) + ManyRows && i.Stock >= -number).ToList(),
                (context, number) => context.Items.AsNoTracking().Where(i => i.Id > number % 1000 && i.Id <= (number % 1000) + ManyRows && i.Stock >= -number).ToListAsync()),
            new(
                "cached",
                (context, number) => context.Items.AsNoTracking().Where(i => i.Id > number % 1000 && i.Id <= (number % 1000) + ManyRows && i.Stock >= -number).Cacheable().ToList(),
                (context, number) => context.Items.AsNoTracking().Where(i => i.Id > number % 1000 && i.Id <= (number % 1000) + ManyRows && i.Stock >= -number).Cacheable().ToListAsync())),
    ];
}
