using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Sharding.Differential;

/// <summary>Composes queries at random: conditions on the key of all kinds, what may come before and behind them, and what is asked of the rows.</summary>
/// <param name="random">Decides, so that a seed gives the same queries again.</param>
/// <param name="isComposite">Whether the region is part of the shard key.</param>
internal sealed class QueryGenerator<TStrategy>(Random random, bool isComposite)
{
    public const int Keys = 12;

    // Conditions that name one key and nothing else.
    private const int PlainConditions = 2;

    /// <summary>Makes the next query.</summary>
    public QueryCase Next()
    {
        var (condition, filter, isPlain) = Condition();
        var (middle, shape) = Middle();
        var (end, isOrdered, run) = End();
        var filterFirst = random.Next(3) > 0;
        return new QueryCase(
            $"{typeof(TStrategy).Name}: {(filterFirst ? $"{condition}, {middle}" : $"{middle}, {condition}")}, {end}",
            isOrdered,
            isPlain && middle == "nothing else",
            context =>
            {
                IQueryable<Parent<TStrategy>> parents = context.Set<Parent<TStrategy>>();
                return run(context, filterFirst ? shape(context, parents.Where(filter(context))) : shape(context, parents).Where(filter(context)));
            });
    }

    private (string Text, Func<StrategiesContext, Expression<Func<Parent<TStrategy>, bool>>> Of, bool IsPlain) Condition()
    {
        var (k, k2, amount) = (1 + random.Next(Keys), 1 + random.Next(Keys), random.Next(50));
        int[] ks = [.. Enumerable.Range(0, 1 + random.Next(3)).Select(_ => 1 + random.Next(Keys))];
        long wide = k;
        (string Text, Func<StrategiesContext, Expression<Func<Parent<TStrategy>, bool>>> Of)[] conditions =
        [
            ($"Key == {k}", _ => p => p.Key == k),
            ($"Key == constant {k}", _ => p => p.Key == EF.Constant(k)),
            ($"Key in ({string.Join(", ", ks)})", _ => p => ks.Contains(p.Key)),
            ($"Key in constants ({string.Join(", ", ks)})", _ => p => EF.Constant(ks).Contains(p.Key)),
            ($"Key == {k} or {k2}", _ => p => p.Key == k || p.Key == k2),
            ($"Key == {k} with either of two", _ => p => (p.Key == k && p.Amount > amount) || (p.Other == null && p.Key == k)),
            ($"Key == {k} or Amount > {amount}", _ => p => p.Key == k || p.Amount > amount),
            ($"Key == {k} with a child", _ => p => p.Key == k && p.Children.Any(c => c.Value > amount)),
            ($"Key == {k} without a child", _ => p => p.Key == k && !p.Children.Any(c => c.Value > amount)),
            ($"a child with Key == {k}", _ => p => p.Children.Any(c => c.Key == k)),
            ($"Key == {k} and any child anywhere", context => p => p.Key == k && context.Set<Child<TStrategy>>().Any(c => c.Value > amount)),
            ($"Key == {k} and a child with Key == {k2}", context => p => p.Key == k && context.Set<Child<TStrategy>>().Any(c => c.Key == k2 && c.Value > amount)),
            ($"Key == {k} and no child with Key == {k2}", context => p => p.Key == k && !context.Set<Child<TStrategy>>().Any(c => c.Key == k2 && c.Value > amount)),
            ($"Key among the children with Key == {k}", context => p => context.Set<Child<TStrategy>>().Where(c => c.Key == k).Select(c => c.Key).Contains(p.Key)),
            ($"Key > {k}", _ => p => p.Key > k),
            ($"Key != {k}", _ => p => p.Key != k),
            ($"not (Key == {k} and Amount > {amount})", _ => p => !(p.Key == k && p.Amount > amount)),
            ($"Key == {k} and Key == {k2}", _ => p => p.Key == k && p.Key == k2),
            ($"Key == Other == {k}", _ => p => p.Key == p.Other && p.Other == k),
            ($"Key == wide {k}", _ => p => p.Key == wide),
            ($"Key + 0 == {k}", _ => p => p.Key + 0 == k),
            ("any key", _ => p => true),
        ];

        // Mostly such as name a key.
        var index = random.Next(3) > 0 ? random.Next(PlainConditions) : random.Next(conditions.Length);
        var (text, of) = conditions[index];
        if (!isComposite)
        {
            return (text, of, index < PlainConditions);
        }

        var (region, other) = (Region(), Region());
        return random.Next(6) switch
        {
            0 => (text, of, false),
            1 => ($"{text}, Region == {region} or {other}", context => And(of(context), p => p.Region == region || p.Region == other), false),

            // What is known of texts is lost on the way through derived tables.
            _ => ($"{text}, Region == {region}", context => And(of(context), p => p.Region == region), false),
        };
    }

    private (string Text, Func<StrategiesContext, IQueryable<Parent<TStrategy>>, IQueryable<Parent<TStrategy>>> Shape) Middle()
    {
        var (skip, take, amount) = (random.Next(3), 1 + random.Next(6), random.Next(50));
        var (text, filter, _) = Condition();
        (string, Func<StrategiesContext, IQueryable<Parent<TStrategy>>, IQueryable<Parent<TStrategy>>>)[] shapes =
        [
            ("Amount", (_, q) => q.Where(p => p.Amount > amount)),
            ($"page {skip} + {take}", (_, q) => q.OrderBy(p => p.Name).ThenBy(p => p.Key).ThenBy(p => p.Region).Skip(skip).Take(take)),
            ("Distinct", (_, q) => q.Distinct()),
            ($"Concat ({text})", (c, q) => q.Concat(c.Set<Parent<TStrategy>>().Where(filter(c)))),
            ($"Union ({text})", (c, q) => q.Union(c.Set<Parent<TStrategy>>().Where(filter(c)))),
            ($"Except ({text})", (c, q) => q.Except(c.Set<Parent<TStrategy>>().Where(filter(c)))),
            ($"Intersect ({text})", (c, q) => q.Intersect(c.Set<Parent<TStrategy>>().Where(filter(c)))),
            ("Join with the key", (c, q) => q.Join(c.Set<Child<TStrategy>>(), p => new { p.Region, p.Key }, x => new { x.Region, x.Key }, (p, x) => new { p, x }).Where(x => x.x.Value > amount).Select(x => x.p)),
            ("Join without the key", (c, q) => q.Join(c.Set<Child<TStrategy>>(), p => p.Other, x => x.Value, (p, x) => p)),
            ("Join by half a key", (c, q) => q.Join(c.Set<Child<TStrategy>>(), p => p.Region, x => x.Region, (p, x) => new { p, x }).Where(x => x.p.Key == x.x.Number).Select(x => x.p)),
            ("LeftJoin", (c, q) => q.LeftJoin(c.Set<Child<TStrategy>>(), p => new { p.Region, p.Key }, x => new { x.Region, x.Key }, (p, x) => new { p, x }).Where(x => x.x == null || x.x.Value > amount).Select(x => x.p)),
            ("children and back", (_, q) => q.SelectMany(p => p.Children).Where(x => x.Value > amount).Select(x => x.Parent!)),
            ($"and {text}", (c, q) => q.Where(filter(c))),
        ];
        return random.Next(2) == 0 ? ("nothing else", (_, q) => q) : shapes[random.Next(shapes.Length)];
    }

    private (string Text, bool IsOrdered, Func<StrategiesContext, IQueryable<Parent<TStrategy>>, Task<object?>> RunAsync) End()
    {
        var (amount, number) = (random.Next(50), 1 + random.Next(4));
        (string, bool, Func<StrategiesContext, IQueryable<Parent<TStrategy>>, Task<object?>>)[] ends =
        [
            ("ToList", false, async (_, q) => await q.ToListAsync()),
            ("ToList without tracking", false, async (_, q) => await q.AsNoTracking().ToListAsync()),
            ("OrderBy", true, async (_, q) => await q.OrderByDescending(p => p.Amount).ThenBy(p => p.Key).ThenBy(p => p.Region).Select(p => new { p.Region, p.Key, p.Amount }).ToListAsync()),
            ("Include", false, async (_, q) => await q.Include(p => p.Children).ThenInclude(x => x.Colour).AsNoTracking().ToListAsync()),
            ("Include, split", false, async (_, q) => await q.Include(p => p.Children).AsSplitQuery().AsNoTracking().ToListAsync()),
            ("Include with a filter", false, async (_, q) => await q.Include(p => p.Children.Where(x => x.Value > amount).OrderBy(x => x.Number).Take(2)).AsNoTracking().ToListAsync()),
            ("Include of a page", false, async (_, q) => await q.Include(p => p.Children).OrderBy(p => p.Key).ThenBy(p => p.Region).Take(3).AsNoTracking().ToListAsync()),
            ("Select with counts", false, async (_, q) => await q.Select(p => new { p.Name, Count = p.Children.Count, Sum = p.Children.Sum(x => x.Value) }).ToListAsync()),
            ("Select with some of each", false, async (_, q) => await q.Select(p => new { p.Region, p.Key, Some = p.Children.OrderBy(x => x.Number).Select(x => new { x.Number, x.Colour!.Name }).Take(2).ToList() }).ToListAsync()),
            ("Select the first child", false, async (_, q) => await q.Select(p => new { p.Key, First = p.Children.OrderByDescending(x => x.Number).Select(x => x.Value).FirstOrDefault() }).ToListAsync()),
            ("SelectMany", false, async (_, q) => await q.SelectMany(p => p.Children, (p, x) => new { p.Name, x.Number, x.Value }).ToListAsync()),
            ("Distinct names", false, async (_, q) => await q.Select(p => p.Name).Distinct().ToListAsync()),
            ("Count", false, async (_, q) => await q.CountAsync()),
            ("Sum", false, async (_, q) => await q.SumAsync(p => p.Amount)),
            ("Max", false, async (_, q) => await q.MaxAsync(p => (int?)p.Amount)),
            ("Average", false, async (_, q) => await q.AverageAsync(p => (double?)p.Amount)),
            ("Any", false, async (_, q) => await q.AnyAsync(p => p.Amount > amount)),
            ("All", false, async (_, q) => await q.AllAsync(p => p.Amount > amount)),
            ("First", true, async (_, q) => await q.OrderBy(p => p.Amount).ThenBy(p => p.Key).ThenBy(p => p.Region).FirstOrDefaultAsync()),
            ("GroupBy name", false, async (_, q) => await q.GroupBy(p => p.Name).Select(g => new { g.Key, Count = g.Count(), Sum = g.Sum(p => p.Amount) }).ToListAsync()),
            ("GroupBy key", false, async (_, q) => await q.GroupBy(p => p.Key).Where(g => g.Count() > 1).Select(g => new { g.Key, Max = g.Max(p => p.Amount) }).ToListAsync()),
            ("GroupBy, children", false, async (_, q) => await q.SelectMany(p => p.Children).GroupBy(x => x.Colour!.Name).Select(g => new { g.Key, Sum = g.Sum(x => x.Value) }).ToListAsync()),
            ("ExecuteUpdate", false, async (_, q) => await q.ExecuteUpdateAsync(s => s.SetProperty(p => p.Amount, p => (p.Amount + 7) % 50))),
            ("ExecuteUpdate of children", false, async (_, q) => await q.SelectMany(p => p.Children).ExecuteUpdateAsync(s => s.SetProperty(x => x.Value, x => x.Number + amount))),
            ("ExecuteDelete of children", false, async (_, q) => await q.SelectMany(p => p.Children).Where(x => x.Number == number).ExecuteDeleteAsync()),
        ];
        return ends[random.Next(ends.Length)];
    }

    private string Region() => StrategiesContext.Regions[random.Next(StrategiesContext.Regions.Count)];

    private static Expression<Func<Parent<TStrategy>, bool>> And(Expression<Func<Parent<TStrategy>, bool>> one, Expression<Func<Parent<TStrategy>, bool>> other) =>
        Expression.Lambda<Func<Parent<TStrategy>, bool>>(Expression.AndAlso(one.Body, new Swap(other.Parameters[0], one.Parameters[0]).Visit(other.Body)), one.Parameters);

    private sealed class Swap(ParameterExpression from, ParameterExpression to) : ExpressionVisitor
    {
        protected override Expression VisitParameter(ParameterExpression node) => node == from ? to : node;
    }
}
