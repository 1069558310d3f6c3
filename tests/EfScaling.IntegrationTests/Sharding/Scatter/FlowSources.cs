using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <summary>What generated queries begin with: tables of each placement, and what is made of several.</summary>
internal static class FlowSources
{
    // Each with how often it is taken. Shapes that must be refused are rare.
    private static readonly (int Weight, string Shape, Func<VarietyContext, int, IQueryable<Row>> Of)[] _sources =
    [
        (6, "owners", (c, _) => Owners(c)),
        (8, "items", (c, _) => Items(c)),
        (4, "parts", (c, _) => Parts(c)),
        (1, "colours", (c, _) => c.Colours.ToRows(x => x.Id, x => 0, x => 0, x => x)),
        (1, "settings", (c, _) => c.Settings.ToRows(x => x.Id, x => 0, x => 0, x => x)),
        (3, "animals (TPH)", (c, _) => c.Animals.ToRows(x => x.OwnerId, x => x.Id, x => 0, x => x)),
        (2, "cats (TPH)", (c, _) => c.Animals.OfType<Cat>().ToRows(x => x.OwnerId, x => x.Id, x => x.Lives, x => x)),
        (1, "all but dogs (TPH)", (c, _) => c.Animals.Where(a => !(a is Dog)).ToRows(x => x.OwnerId, x => x.Id, x => 0, x => x)),
        (3, "papers (TPT)", (c, _) => c.Papers.ToRows(x => x.OwnerId, x => x.Id, x => 0, x => x, Value("Int", (Paper x) => x is Memo ? ((Memo)x).Lines : 1))),
        (2, "letters (TPT)", (c, _) => c.Papers.OfType<Letter>().ToRows(x => x.OwnerId, x => x.Id, x => 0, x => x, Value("Text", (Letter x) => x.Recipient))),
        (2, "owned", (c, _) => c.Owners.ToRows(x => x.Id, x => 0, x => 0, x => x, Value("Text", (Owner x) => x.Address.Street), Value("Int", (Owner x) => x.Address.Number))),
        (3, "JSON", (c, _) => c.Owners.ToRows(x => x.Id, x => 0, x => 0, x => x, Value("Text", (Owner x) => x.Profile.Nick), Value("Int", (Owner x) => x.Profile.Level), Value("Plain", (Owner x) => x.Profile.Rate))),
        (1, "number of tags in JSON", (c, _) => c.Owners.ToRows(x => x.Id, x => x.Profile.Tags.Count(t => t.Weight > 0), x => 0, x => x)),
        (2, "items join owners", (c, _) => c.Items.Join(c.Owners, i => i.OwnerId, o => o.Id, (i, o) => new { i, o }).ToRows(x => x.o.Id, x => x.i.Id, x => 0, x => x.o, Value("Text", LambdaOf((VarietyContext v) => v.Items.Join(v.Owners, i => i.OwnerId, o => o.Id, (i, o) => new { i, o }), x => x.i.Text)))),
        (2, "owner of items", (c, _) => c.Items.ToRows(x => x.OwnerId, x => x.Id, x => 0, x => x.Owner)),
        (2, "owners left join items", (c, _) => c.Owners.LeftJoin(c.Items, o => o.Id, i => i.OwnerId, (o, i) => new { o, i }).ToRows(x => x.o.Id, x => x.i!.Id, x => 0, x => x.i)),
        (2, "owners left join some items", (c, v) => c.Owners.LeftJoin(c.Items.Where(i => i.Int > v), o => o.Id, i => i.OwnerId, (o, i) => new { o, i }).ToRows(x => x.i!.OwnerId, x => x.i!.Id, x => x.o.Id, x => x.o)),
        (1, "some items right join owners", (c, v) => c.Items.Where(i => i.Int > v).RightJoin(c.Owners, i => i.OwnerId, o => o.Id, (i, o) => new { o, i }).ToRows(x => x.o.Id, x => x.i!.Id, x => 0, x => x.i)),
        (1, "colours right join items", (c, _) => c.Colours.RightJoin(c.Items, k => k.Id, i => i.ColourId, (k, i) => new { k, i }).ToRows(x => x.i.OwnerId, x => x.i.Id, x => x.k!.Id, x => x.k)),
        (1, "items right join colours", (c, _) => c.Items.RightJoin(c.Colours, i => i.ColourId, k => k.Id, (i, k) => new { k, i }).ToRows(x => x.i!.OwnerId, x => x.i!.Id, x => x.k.Id, x => x.k)),
        (1, "first owners left join items of one", (c, v) => c.Owners.OrderBy(o => o.Text).ThenBy(o => o.Id).Take(9).LeftJoin(c.Items.Where(i => i.OwnerId == v), o => o.Id, i => i.OwnerId, (o, i) => new { i, o }).ToRows(x => x.o.Id, x => x.i!.Id, x => 0, x => x.i)),
        (2, "items of owners", (c, v) => c.Owners.Where(o => o.Int != v).SelectMany(o => o.Items, (o, i) => new { o, i }).ToRows(x => x.o.Id, x => x.i.Id, x => 0, x => x.i)),
        (2, "items of owners or none", (c, _) => c.Owners.SelectMany(o => o.Items.DefaultIfEmpty(), (o, i) => new { o, i }).ToRows(x => x.o.Id, x => x.i!.Id, x => 0, x => x.i)),
        (2, "two items of each owner", (c, v) => c.Owners.SelectMany(o => o.Items.OrderBy(i => i.Money).ThenBy(i => i.Id).Take(2), (o, i) => new { o, i }).ToRows(x => x.o.Id, x => x.i.Id, x => 0, x => x.i)),
        (1, "parts of items of owners", (c, _) => c.Owners.SelectMany(o => o.Items).SelectMany(i => i.Parts).ToRows(x => x.OwnerId, x => x.ItemId, x => x.Number, x => x)),
        (1, "tags in JSON of owners", (c, _) => c.Owners.SelectMany(o => o.Profile.Tags, (o, t) => new { o, t }).Select(x => new Row { K = x.o.Id, Id = x.t.Weight, N = 0, Text = x.t.Name, Int = x.t.Weight, Money = x.o.Money })),
        (1, "numbers of items", (c, _) => c.Items.SelectMany(i => i.Numbers!, (i, n) => new { i, n }).Select(x => new Row { K = x.i.OwnerId, Id = x.i.Id, N = x.n, Int = x.n, Text = x.i.Text, Money = x.i.Money })),
        (2, "items with colours", (c, _) => c.Items.ToRows(x => x.OwnerId, x => x.Id, x => x.Colour!.Id, x => x, Value("Text", (Item x) => x.Colour!.Text))),
        (1, "colours join items", (c, _) => c.Colours.Join(c.Items, k => k.Id, i => i.ColourId, (k, i) => new { k, i }).ToRows(x => x.i.OwnerId, x => x.i.Id, x => x.k.Id, x => x.k)),
        (1, "owners times colours", (c, v) => c.Owners.SelectMany(o => c.Colours.Where(k => k.Int == v), (o, k) => new { o, k }).ToRows(x => x.o.Id, x => x.k.Id, x => 0, x => x.o)),
        (1, "counts of items by owner join owners", (c, _) => c.Items.GroupBy(i => i.OwnerId).Select(g => new { g.Key, Count = g.Count(), Sum = g.Sum(i => i.Money) })
            .Join(c.Owners, g => g.Key, o => o.Id, (g, o) => new { g, o }).ToRows(x => x.g.Key, x => x.g.Count, x => 0, x => x.o, Value("Money", LambdaOf((VarietyContext v) => v.Items.GroupBy(i => i.OwnerId).Select(g => new { g.Key, Count = g.Count(), Sum = g.Sum(i => i.Money) }).Join(v.Owners, g => g.Key, o => o.Id, (g, o) => new { g, o }), x => x.g.Sum)))),
        (1, "first items of all", (c, v) => c.Items.OrderBy(i => i.Money).ThenBy(i => i.OwnerId).ThenBy(i => i.Id).Take(7).ToRows(x => x.OwnerId, x => x.Id, x => 0, x => x)),
        (1, "owners of first items", (c, v) => c.Items.OrderByDescending(i => i.Int).ThenBy(i => i.OwnerId).ThenBy(i => i.Id).Skip(2).Take(9).Join(c.Owners, i => i.OwnerId, o => o.Id, (i, o) => new { i, o }).ToRows(x => x.o.Id, x => x.i.Id, x => 0, x => x.o)),
        (1, "owners left join first items", (c, v) => c.Owners.LeftJoin(c.Items.OrderByDescending(i => i.Int).ThenBy(i => i.OwnerId).ThenBy(i => i.Id).Take(9), o => o.Id, i => i.OwnerId, (o, i) => new { i, o }).ToRows(x => x.o.Id, x => x.i!.Id, x => 0, x => x.i)),
        (1, "first owners join items", (c, v) => c.Owners.OrderBy(o => o.Text).ThenBy(o => o.Id).Take(6).SelectMany(o => o.Items, (o, i) => new { i, o }).ToRows(x => x.o.Id, x => x.i.Id, x => 0, x => x.i)),
        (2, "the best item of each owner", (c, _) => c.Items.GroupBy(i => i.OwnerId).Select(g => g.OrderByDescending(i => i.Money).ThenBy(i => i.Id).First()).ToRows(x => x.OwnerId, x => x.Id, x => 0, x => x)),
        (1, "the best item of each value", (c, _) => c.Items.GroupBy(i => i.Int).Select(g => g.OrderByDescending(i => i.Money).ThenBy(i => i.OwnerId).ThenBy(i => i.Id).First()).ToRows(x => x.OwnerId, x => x.Id, x => 0, x => x)),
        (2, "owners with scalars of their items", (c, _) => c.Owners.ToRows(
            x => x.Id, x => x.Items.Count, x => x.Items.Max(i => i.Int), x => x, Value("Money", (Owner x) => x.Items.Sum(i => i.Money)), Value("Text", (Owner x) => x.Items.OrderBy(i => i.Id).Select(i => i.Text).FirstOrDefault()))),
        (1, "owners with scalars of all", (c, v) => c.Owners.ToRows(x => x.Id, x => c.Items.Count(i => i.Int > v), x => c.Colours.Count(), x => x)),
        (1, "all of items and parts", (c, _) => Items(c).Concat(Parts(c))),
        (1, "items and colours, different", (c, _) => Items(c).Union(c.Colours.ToRows(x => x.Id, x => x.Id, x => 0, x => x))),
        (1, "colours but owners", (c, _) => c.Colours.ToRows(x => x.Id, x => x.Id, x => 0, x => x).Except(Owners(c))),
        (1, "items with settings", (c, _) => c.Items.Join(c.Settings, i => i.Int, s => s.Int, (i, s) => new { i, s }).ToRows(x => x.i.OwnerId, x => x.i.Id, x => x.s.Id, x => x.s)),
        (1, "colours left join items", (c, _) => c.Colours.LeftJoin(c.Items, k => k.Id, i => i.ColourId, (k, i) => new { k, i }).ToRows(x => x.i!.OwnerId, x => x.i!.Id, x => x.k.Id, x => x.k)),
        (1, "settings left join colours", (c, _) => c.Settings.LeftJoin(c.Colours, s => s.Int, k => k.Int, (s, k) => new { k, s }).ToRows(x => x.s.Id, x => x.k!.Id, x => 0, x => x.k)),
        (1, "items join items of others", (c, _) => c.Items.Join(c.Items, i => i.Id, i => i.Int, (i, j) => new { i, j }).ToRows(x => x.i.OwnerId, x => x.i.Id, x => x.j.Id, x => x.j)),
    ];

    private static readonly int _total = _sources.Sum(s => s.Weight);

    /// <summary>Picks one.</summary>
    public static Flow Pick(Random random)
    {
        var at = random.Next(_total);
        var value = VarietyData.Ints[random.Next(VarietyData.Ints.Count)];
        var (_, shape, of) = _sources.First(s => (at -= s.Weight) < 0);
        var columns = shape.StartsWith("tags", StringComparison.Ordinal) || shape.StartsWith("numbers", StringComparison.Ordinal)
            ? RowExpressions.AllColumns.Intersect(["K", "Id", "N", "Text", "Int", "Money"])
            : RowExpressions.AllColumns;
        return new Flow(shape, columns, IsUnique(shape) ? ["K", "Id", "N"] : [.. columns], c => of(c, value));
    }

    // Whether the three keys tell all rows apart.
    private static bool IsUnique(string shape) =>
        !(shape.StartsWith("all of", StringComparison.Ordinal) || shape.StartsWith("tags", StringComparison.Ordinal) || shape.StartsWith("items and", StringComparison.Ordinal)
            || shape.StartsWith("items join items", StringComparison.Ordinal) || shape.StartsWith("numbers", StringComparison.Ordinal));

    private static IQueryable<Row> Owners(VarietyContext context) => context.Owners.ToRows(x => x.Id, x => 0, x => 0, x => x);

    private static IQueryable<Row> Items(VarietyContext context) => context.Items.ToRows(x => x.OwnerId, x => x.Id, x => 0, x => x);

    private static IQueryable<Row> Parts(VarietyContext context) => context.Parts.ToRows(x => x.OwnerId, x => x.ItemId, x => x.Number, x => x);

    private static (string Name, LambdaExpression Value) Value<T, TValue>(string name, Expression<Func<T, TValue>> value) => (name, value);

    // For rows of types without names, which the first argument alone tells.
    private static (string Name, LambdaExpression Value) Value(string name, LambdaExpression value) => (name, value);

    private static Expression<Func<T, TValue>> LambdaOf<T, TValue>(Func<VarietyContext, IQueryable<T>> _, Expression<Func<T, TValue>> value) => value;
}
