using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <summary>Queries of whole entities with what belongs to them.</summary>
/// <param name="random">Decides.</param>
internal sealed class EntityQueries(Random random)
{
    private static readonly (string Shape, Expression<Func<Various, object?>> Key)[] _keys =
    [
        ("Int", v => v.Int), ("Text", v => v.Text), ("Plainest", v => v.Plainest), ("Utc", v => v.Utc), ("Money", v => v.Money), ("Flag", v => v.Flag), ("Double", v => v.Double), ("Guid", v => v.Guid),
    ];

    private readonly RowFilters _filters = new(random);

    /// <summary>Makes the next one.</summary>
    public ScatterQuery Next()
    {
        var (filter, condition) = _filters.OnValues();
        var (inner, innerCondition) = _filters.OnValues();
        var (key, by) = _keys[random.Next(_keys.Length)];
        var (isDescending, skip, take, value) = (random.Next(2) == 0, random.Next(4), 1 + random.Next(7), VarietyData.Ints[random.Next(VarietyData.Ints.Count)]);
        var (split, splits) = random.Next(2) == 0 ? ("split ", (Func<IQueryable<Owner>, IQueryable<Owner>>)(q => q.AsSplitQuery())) : ("", q => q);
        var (tracking, tracks) = random.Next(3) switch
        {
            0 => ("tracked", (Func<IQueryable<Owner>, IQueryable<Owner>>)(q => q.AsTracking())),
            1 => ("identities", q => q.AsNoTrackingWithIdentityResolution()),
            _ => ("untracked", q => q.AsNoTracking()),
        };
        var (paging, page) = random.Next(4) switch
        {
            0 => ("page", (Func<IQueryable<Owner>, IQueryable<Owner>>)(q => q.Skip(skip).Take(take))),
            1 => ("take", q => q.Take(take)),
            2 => ("skip", q => q.Skip(skip)),
            _ => ("all", q => q),
        };

        (string Shape, Func<VarietyContext, IQueryable<Owner>, IQueryable<Owner>> Add)[] includes =
        [
            ("nothing", (_, q) => q),
            ("items", (_, q) => q.Include(o => o.Items)),
            ("items, parts", (_, q) => q.Include(o => o.Items).ThenInclude(i => i.Parts)),
            ("items, colours, animals", (_, q) => q.Include(o => o.Items).ThenInclude(i => i.Colour).Include(o => o.Animals).Include(o => o.Colour)),
            ("papers (TPT), animals", (_, q) => q.Include(o => o.Papers).Include(o => o.Animals)),
            ($"items where {inner}", (_, q) => q.Include(o => o.Items.AsQueryable().Where(RowExpressions.On<Item>(innerCondition)).OrderBy(i => i.Id))),
            ("first items", (_, q) => q.Include(o => o.Items.OrderByDescending(i => i.Money).ThenBy(i => i.Id).Take(2)).ThenInclude(i => i.Parts)),
            ("items but the first", (_, q) => q.Include(o => o.Items.OrderBy(i => i.Text).ThenBy(i => i.Id).Skip(1))),
        ];
        var (including, include) = includes[random.Next(includes.Length)];
        IQueryable<Owner> Owners(VarietyContext c) => c.Owners.Where(RowExpressions.On<Owner>(condition));
        IQueryable<Owner> Ordered(VarietyContext c) => (isDescending ? Owners(c).OrderByDescending(Of<Owner>(by)) : Owners(c).OrderBy(Of<Owner>(by))).ThenBy(o => o.Id);

        var text = $"owners where {filter}, by {key}{(isDescending ? " desc" : "")}";
        (string Shape, bool IsOrdered, Func<VarietyContext, Task<object?>> Run)[] all =
        [
            ($"{text}, {paging}, {split}include {including}, {tracking}", true, async c => Tracked(c, await tracks(splits(include(c, page(Ordered(c))))).ToListAsync())),
            ($"{text}, {split}include {including}, {paging}, {tracking}", true, async c => Tracked(c, await page(tracks(splits(include(c, Ordered(c))))).ToListAsync())),
            ($"{text}, {split}include {including}, first, {tracking}", true, async c => Tracked(c, await tracks(splits(include(c, Ordered(c)))).FirstOrDefaultAsync())),
            ($"owners where {filter}, include {including}, {tracking}", false, async c => Tracked(c, await tracks(splits(include(c, Owners(c)))).ToListAsync())),
            ($"{text}, {paging}, select lists of items where {inner}", true, async c =>
                await splits(page(Ordered(c))).Select(o => new { o.Id, Items = o.Items.AsQueryable().Where(RowExpressions.On<Item>(innerCondition)).OrderBy(i => i.Id).Select(i => new { i.Id, i.Text, Parts = i.Parts.Count }).ToList() }).ToListAsync()),
            ($"{text}, {paging}, select first items", true, async c =>
                await page(Ordered(c)).Select(o => new { o.Id, First = o.Items.OrderByDescending(i => i.Money).ThenBy(i => i.Id).FirstOrDefault(), Colour = o.Colour!.Text }).ToListAsync()),
            ($"{text}, {paging}, select owned and JSON", true, async c => await page(Ordered(c)).Select(o => new { o.Address.Street, o.Profile.Nick, o.Profile.Rate, o.Id }).ToListAsync()),
            ($"{text}, {paging}, select JSON whole", true, async c => await page(Ordered(c)).AsNoTracking().Select(o => new { o.Profile, o.Id }).ToListAsync()),
            ($"{text}, {paging}, select tags", true, async c => await page(Ordered(c)).Select(o => new { o.Id, Tags = o.Profile.Tags.Where(t => t.Weight > value).Select(t => t.Name).ToList() }).ToListAsync()),
            ("owners by JSON", true, async c => await c.Owners.OrderBy(o => o.Profile.Level).ThenBy(o => o.Id).Skip(skip).Take(take).AsNoTracking().ToListAsync()),
            ("groups of JSON", false, async c => await c.Owners.GroupBy(o => o.Profile.Level).Select(g => new { g.Key, Rate = g.Max(o => o.Profile.Rate), Count = g.Count() }).ToListAsync()),
            ("groups of owned", false, async c => await c.Owners.GroupBy(o => o.Address.Street).Select(g => new { g.Key, Sum = g.Sum(o => o.Address.Number) }).ToListAsync()),
            ($"animals (TPH) where {filter}, by {key}", true, async c => await c.Animals.Where(RowExpressions.On<Animal>(condition)).OrderBy(Of<Animal>(by)).ThenBy(a => a.OwnerId).ThenBy(a => a.Id).Take(take + skip).AsNoTracking().ToListAsync()),
            ($"cats (TPH) where {filter}", false, async c => await c.Animals.OfType<Cat>().Where(RowExpressions.On<Cat>(condition)).Include(a => a.Owner).AsNoTracking().ToListAsync()),
            ($"papers (TPT) where {filter}, by {key}", true, async c => await c.Papers.Where(RowExpressions.On<Paper>(condition)).OrderByDescending(Of<Paper>(by)).ThenBy(a => a.OwnerId).ThenBy(a => a.Id).Skip(skip).Take(take).AsNoTracking().ToListAsync()),
            ($"memos (TPT) where {filter}", false, async c => await c.Set<Memo>().Where(RowExpressions.On<Memo>(condition)).Where(x => x.Lines > value).Include(a => a.Owner).AsNoTracking().ToListAsync()),
            ("letters (TPT), groups", false, async c => await c.Set<Letter>().GroupBy(x => x.Recipient).Select(g => new { g.Key, Count = g.Count(), Most = g.Max(x => x.Int) }).ToListAsync()),
            ("parts, not null", false, async c => await c.Parts.GroupBy(p => p.Quantity).Select(g => new { g.Key, Sum = g.Sum(p => p.Price), Average = g.Average(p => p.Price), Items = g.Select(p => p.ItemId).Distinct().Count() }).ToListAsync()),
            ("parts, sum of products", false, async c => await c.Parts.SumAsync(p => p.Quantity * p.Price)),
            ("parts, average of nothing", false, async c => await c.Parts.Where(p => p.Quantity > 5_000_000).AverageAsync(p => p.Price)),
            ("parts, greatest of nothing", false, async c => await c.Parts.Where(p => p.Quantity > 5_000_000).MaxAsync(p => p.Quantity)),
            ("parts, average of whole numbers", false, async c => await c.Parts.AverageAsync(p => p.Quantity)),
            ("items of colours with names", false, async c => await c.Items.Where(i => i.Colour!.Int > value).GroupBy(i => i.Colour!.Text).Select(g => new { g.Key, Sum = g.Sum(i => i.Money), Count = g.Count() }).ToListAsync()),
            ("groups whole", false, async c => (await c.Items.GroupBy(i => i.Mood).ToListAsync()).Select(g => new { g.Key, Items = g.Select(i => i.Money).Order().ToList() }).ToList()),
            ("groups with lists", false, async c => await c.Items.GroupBy(i => i.Int).Select(g => new { g.Key, First = g.OrderBy(i => i.OwnerId).ThenBy(i => i.Id).Select(i => i.Text).Take(2).ToList() }).ToListAsync()),
            ("groups by the key with lists", false, async c => await c.Items.GroupBy(i => i.OwnerId).Select(g => new { g.Key, First = g.OrderBy(i => i.Money).ThenBy(i => i.Id).Select(i => i.Text).Take(2).ToList() }).ToListAsync()),
            ("group join", false, async c => await c.Owners.GroupJoin(c.Items, o => o.Id, i => i.OwnerId, (o, items) => new { o.Id, Count = items.Count(), Most = items.Max(i => i.Money) }).ToListAsync()),
            ($"compiled, {key}", true, async c =>
            {
                var rows = new List<object?>();
                await foreach (var row in EF.CompileAsyncQuery((VarietyContext v, int least, int number) => v.Items.Where(i => i.Int >= least).OrderByDescending(i => i.Text).ThenBy(i => i.OwnerId).ThenBy(i => i.Id).Select(i => new { i.OwnerId, i.Text }).Take(number))(c, value, take))
                {
                    rows.Add(row);
                }

                return rows;
            }),
            ("compiled groups", true, async c => await EF.CompileAsyncQuery((VarietyContext v, int least) => v.Items.Where(i => i.Int >= least).GroupBy(i => i.Mood).OrderByDescending(g => g.Count()).ThenBy(g => g.Key).Select(g => (long?)g.Sum(i => i.Int)).FirstOrDefault())(c, value)),
            ($"pages by keys of {key}", true, async c =>
            {
                List<List<int?>> pages = [];
                for (int? last = null, owner = null, id = null; pages.Count < 4;)
                {
                    var next = await c.Items.Where(i => i.Int != null)
                        .Where(i => last == null || i.Int > last || (i.Int == last && (i.OwnerId > owner || (i.OwnerId == owner && i.Id > id))))
                        .OrderBy(i => i.Int).ThenBy(i => i.OwnerId).ThenBy(i => i.Id).Take(take).Select(i => new { i.Int, i.OwnerId, i.Id }).ToListAsync();
                    if (next.Count == 0)
                    {
                        break;
                    }

                    pages.Add([.. next.Select(i => i.Int)]);
                    (last, owner, id) = (next[^1].Int, next[^1].OwnerId, next[^1].Id);
                }

                return pages;
            }),
            ("a stream that ends early", true, async c =>
            {
                var rows = new List<int>();
                await foreach (var owner in Ordered(c).AsNoTracking().AsAsyncEnumerable())
                {
                    rows.Add(owner.Id);
                    if (rows.Count == take)
                    {
                        break;
                    }
                }

                // The context is of use after that.
                return new { rows, Count = await c.Items.CountAsync() };
            }),
            ("two queries in one context", true, async c =>
            {
                var owners = await Ordered(c).Take(take).ToListAsync();
                await c.Items.Where(RowExpressions.On<Item>(innerCondition)).LoadAsync();
                return Tracked(c, owners);
            }),
        ];
        var (shape, isOrdered, run) = all[random.Next(3) == 0 ? random.Next(4) : random.Next(all.Length)];
        return new ScatterQuery(shape, isOrdered, run);
    }

    private static Expression<Func<T, object?>> Of<T>(Expression<Func<Various, object?>> key)
    {
        var row = Expression.Parameter(typeof(T), "x");
        return Expression.Lambda<Func<T, object?>>(RowExpressions.In(key, row), row);
    }

    private static object Tracked(VarietyContext context, object? result) => new { result, Tracked = context.ChangeTracker.Entries().Count() };
}
