using System.Collections.Immutable;
using System.Linq.Expressions;

namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <summary>Puts operators behind one another at random.</summary>
/// <param name="random">Decides.</param>
internal sealed class FlowOperators(Random random)
{
    private readonly RowFilters _filters = new(random);

    /// <summary>Makes a query of rows.</summary>
    public Flow Next(int depth = 0)
    {
        var flow = FlowSources.Pick(random);
        for (var i = random.Next(depth == 0 ? 4 : 2); i > 0; i--)
        {
            flow = random.Next(11) switch
            {
                < 5 => Filter(flow),
                5 => Project(flow),
                6 => Distinct(flow),
                7 => Group(flow),
                8 => Page(flow),
                9 when depth < 2 => Combine(flow, depth),
                10 => JoinOwners(flow),
                _ => Filter(flow),
            };
        }

        return flow;
    }

    /// <summary>Adds a condition.</summary>
    public Flow Filter(Flow flow)
    {
        if (random.Next(3) > 0)
        {
            var (shape, condition) = _filters.OnValues();
            return IsKnown(flow, condition) ? flow.Then($"where {shape}", (_, q) => q.Where(RowExpressions.On<Row>(condition))) : flow;
        }

        var (name, of) = _filters.OnOthers();
        return IsKnown(flow, of(null!)) ? flow.Then($"where {name}", (c, q) => q.Where(of(c))) : flow;
    }

    /// <summary>Puts the rows in an order that tells all of them apart.</summary>
    public Flow Order(Flow flow)
    {
        var keys = new List<(string Shape, LambdaExpression Key, bool IsDescending)>();
        for (var i = random.Next(3); i > 0; i--)
        {
            var computed = RowParts.Computed.Where(p => IsKnown(flow, p.Value)).ToList();
            if (computed.Count > 0 && random.Next(3) == 0)
            {
                var (_, shape, value) = computed[random.Next(computed.Count)];
                keys.Add((shape, value, random.Next(2) == 0));
            }
            else
            {
                var column = flow.Columns[random.Next(flow.Columns.Count)];
                keys.Add((column, RowExpressions.Property(column), random.Next(2) == 0));
            }
        }

        keys.AddRange(flow.Identity.Select(i => (i, RowExpressions.Property(i), random.Next(3) == 0)));
        return flow.Then(
            $"order by {string.Join(", ", keys.Select(k => k.IsDescending ? $"{k.Shape} desc" : k.Shape))}",
            (_, q) => keys.Select((k, i) => (k, i)).Aggregate(q, (ordered, k) => RowExpressions.OrderBy(ordered, k.k.Key, k.k.IsDescending, k.i == 0))) with
        { IsOrdered = true };
    }

    /// <summary>Takes some of the rows in an order.</summary>
    public Flow Page(Flow flow)
    {
        var (skip, take) = (random.Next(6), 1 + random.Next(8));
        var ordered = Order(flow);
        var page = random.Next(4) switch
        {
            0 => ordered.Then("skip", (_, q) => q.Skip(skip)),
            1 => ordered.Then("take", (_, q) => q.Take(take)),
            2 => ordered.Then("take, skip", (_, q) => q.Take(take + skip).Skip(skip)),
            _ => ordered.Then("skip, take", (_, q) => q.Skip(skip).Take(take)),
        };
        return page with { IsOrdered = true };
    }

    /// <summary>Selects other columns.</summary>
    public Flow Project(Flow flow)
    {
        var plain = flow.Columns.Where(_ => random.Next(5) == 0).ToList();
        if (plain.Count == 0)
        {
            plain.Add(flow.Columns[random.Next(flow.Columns.Count)]);
        }

        if (random.Next(2) == 0)
        {
            plain = [.. plain.Union(flow.Identity)];
        }

        var computed = RowParts.Computed.Where(p => !plain.Contains(p.Column) && IsKnown(flow, p.Value)).OrderBy(_ => random.Next()).DistinctBy(p => p.Column).Take(random.Next(3)).ToList();
        ImmutableSortedSet<string> columns = [.. plain, .. computed.Select(p => p.Column)];
        return flow.Then(
            $"select {string.Join(", ", plain.Concat(computed.Select(p => $"{p.Column} = {p.Shape}")))}",
            (_, q) => q.Select(Selection(plain, computed))) with
        {
            Columns = columns,
            Identity = flow.Identity.All(plain.Contains) ? flow.Identity : [.. columns],
        };
    }

    /// <summary>Selects columns without those that are alike.</summary>
    public Flow Distinct(Flow flow)
    {
        var selected = Project(flow);
        return selected.Then("distinct", (_, q) => q.Distinct());
    }

    /// <summary>Computes something of groups.</summary>
    public Flow Group(Flow flow)
    {
        // Keys, most of them not the shard's.
        var computed = RowParts.Computed.Where(p => IsKnown(flow, p.Value)).OrderBy(_ => random.Next()).Take(random.Next(4) == 0 ? 1 : 0).ToList();
        List<string> plain = [.. flow.Columns.Where(c => computed.All(p => p.Column != c)).OrderBy(_ => random.Next()).Take(computed.Count == 0 ? 1 + random.Next(2) : random.Next(2))];
        if (flow.Columns.Contains("K") && random.Next(4) == 0)
        {
            plain = [.. plain.Append("K").Distinct()];
        }

        List<string> keys = [.. plain, .. computed.Select(p => p.Column)];
        var values = RowParts.Aggregates.Where(a => !keys.Contains(a.Column) && IsKnown(flow, a.Value)).OrderBy(_ => random.Next()).DistinctBy(a => a.Column).Take(random.Next(4)).ToList();
        var group = Expression.Parameter(typeof(IGrouping<Row, Row>), "g");
        var result = Expression.Lambda<Func<IGrouping<Row, Row>, Row>>(
            RowExpressions.NewRow([
                .. keys.Select(k => (k, (Expression)Expression.Property(Expression.Property(group, "Key"), k))),
                .. values.Select(a => (a.Column, RowExpressions.In(a.Value, group))),
            ]),
            group);

        // Of equal averages that have other scales it is not certain which one counts.
        return flow.Then(
            $"group by {string.Join(", ", plain.Concat(computed.Select(p => p.Shape)))} select {string.Join(", ", values.Select(a => a.Shape))}",
            (_, q) => q.GroupBy(Selection(plain, computed)).Select(result)) with
        {
            Columns = [.. keys, .. values.Select(a => a.Column).Where(c => c != "Plain")],
            Identity = [.. keys],
        };
    }

    /// <summary>Takes the first row of each group, whole; nothing that EF translates can come behind it.</summary>
    public Flow FirstOfEach(Flow flow)
    {
        if (!flow.Identity.SequenceEqual(["K", "Id", "N"]) || !flow.Columns.Contains("Int") || !flow.Columns.Contains("Money"))
        {
            return flow;
        }

        return random.Next(2) == 0
            ? flow.Then("first of each Int", (_, q) => q.GroupBy(r => r.Int).Select(g => g.OrderByDescending(r => r.Money).ThenBy(r => r.K).ThenBy(r => r.Id).ThenBy(r => r.N).First()))
            : flow.Then("first of each K", (_, q) => q.GroupBy(r => r.K).Select(g => g.OrderBy(r => r.Money).ThenByDescending(r => r.Id).ThenBy(r => r.N).First()));
    }

    private Flow JoinOwners(Flow flow) => !flow.Columns.Contains("K") ? flow : random.Next(2) == 0
        ? flow.Then("join owners", (c, q) => q.Join(c.Owners, r => r.K, o => o.Id, (r, o) => new { r, o }).Select(x => new Row { K = x.o.Id, Int = x.o.Int, Text = x.o.Text, Id = x.r.K })) with
        {
            Columns = ["K", "Int", "Text", "Id"],
            Identity = ["K", "Int", "Text", "Id"],
        }
        : flow.Then("left join owners", (c, q) => q.LeftJoin(c.Owners.Where(o => o.Flag == true), r => r.K, o => o.Id, (r, o) => new { r, o }).Select(x => new Row { K = x.r.K, Int = x.o!.Int, Text = x.o!.Text })) with
        {
            Columns = ["K", "Int", "Text"],
            Identity = ["K", "Int", "Text"],
        };

    private Flow Combine(Flow flow, int depth)
    {
        var other = Next(depth + 1);
        List<string> shared = [.. flow.Columns.Intersect(other.Columns).Where(_ => random.Next(4) == 0)];
        if (flow.Columns.Contains("K") && other.Columns.Contains("K") && random.Next(2) == 0)
        {
            shared = [.. shared.Append("K").Distinct()];
        }

        if (shared.Count == 0)
        {
            return flow;
        }

        var (name, combine) = random.Next(4) switch
        {
            0 => ("concat", (Func<IQueryable<Row>, IQueryable<Row>, IQueryable<Row>>)((one, two) => one.Concat(two))),
            1 => ("union", (one, two) => one.Union(two)),
            2 => ("intersect", (one, two) => one.Intersect(two)),
            _ => ("except", (one, two) => one.Except(two)),
        };
        var selection = Selection(shared, []);
        return flow.Then($"select {string.Join(", ", shared)} {name} ({other.Shape})", (c, q) => combine(q.Select(selection), other.Of(c).Select(selection))) with
        {
            Columns = [.. shared],
            Identity = [.. shared],
        };
    }

    private static Expression<Func<Row, Row>> Selection(IReadOnlyList<string> plain, IReadOnlyList<(string Column, string Shape, LambdaExpression Value)> computed)
    {
        var row = Expression.Parameter(typeof(Row), "r");
        return Expression.Lambda<Func<Row, Row>>(
            RowExpressions.NewRow([.. plain.Select(c => (c, (Expression)Expression.Property(row, c))), .. computed.Select(p => (p.Column, RowExpressions.In(p.Value, row)))]), row);
    }

    private static bool IsKnown(Flow flow, LambdaExpression lambda) => RowExpressions.ReadBy(lambda).All(flow.Columns.Contains);
}
