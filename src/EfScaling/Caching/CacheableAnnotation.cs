using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;

namespace EfScaling.Caching;

/// <summary>The mark of an entity type whose queries are cached without saying so: <see cref="TimeSpan.Zero"/> for the context's time to live.</summary>
internal static class CacheableAnnotation
{
    /// <summary>The annotation's name.</summary>
    public const string Name = "EfScaling:Cacheable";

    /// <summary>Returns the hints of a query that says nothing, if all its tables are of marked entities.</summary>
    /// <param name="hints">What the query says.</param>
    /// <param name="query">Its SQL tree.</param>
    public static CacheHints Apply(CacheHints hints, Expression query)
    {
        if (hints.Mode != CacheMode.Unsaid)
        {
            return hints;
        }

        var tables = new Tables();
        tables.Visit(query);
        if (!tables.AreMarked || tables.Count == 0)
        {
            return hints;
        }

        return hints with { Mode = CacheMode.Cacheable, TimeToLive = tables.TimeToLive };
    }

    private static TimeSpan? TimeOf(IReadOnlyEntityType entityType) =>
        entityType.GetAllBaseTypesInclusive().Select(t => t[Name]).OfType<TimeSpan>().Select(t => (TimeSpan?)t).FirstOrDefault();

    private sealed class Tables : ExpressionVisitor
    {
        public int Count { get; private set; }

        public bool AreMarked { get; private set; } = true;

        public TimeSpan? TimeToLive { get; private set; }

        protected override Expression VisitExtension(Expression node)
        {
            if (node is TableExpressionBase and ITableBasedExpression { Table: { } table })
            {
                Count++;
                var times = table.EntityTypeMappings.Select(m => m.TypeBase).OfType<IReadOnlyEntityType>().Select(TimeOf).ToList();
                AreMarked &= times.Count > 0 && times.TrueForAll(t => t is not null);
                foreach (var time in times.Where(t => t > TimeSpan.Zero && (TimeToLive is null || t < TimeToLive)))
                {
                    TimeToLive = time;
                }
            }

            return base.VisitExtension(node);
        }
    }
}
