using System.Collections.Immutable;

namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <summary>A query that is still being composed.</summary>
/// <param name="Shape">What it is made of, without values.</param>
/// <param name="Columns">The properties of its rows that are selected.</param>
/// <param name="Identity">Those that no two rows share, unless all are alike.</param>
/// <param name="Of">Makes it for a context.</param>
/// <param name="IsOrdered">Whether its rows are in an order that tells all of them apart.</param>
internal sealed record Flow(string Shape, ImmutableSortedSet<string> Columns, ImmutableArray<string> Identity, Func<VarietyContext, IQueryable<Row>> Of, bool IsOrdered = false)
{
    /// <summary>Returns it with one more operator.</summary>
    public Flow Then(string shape, Func<VarietyContext, IQueryable<Row>, IQueryable<Row>> add) =>
        this with { Shape = $"{Shape} > {shape}", Of = c => add(c, Of(c)), IsOrdered = false };
}
