using System.Linq.Expressions;
using EfScaling.Caching;
using EfScaling.Replication;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Query;

namespace EfScaling.Routing;

/// <summary>Makes the plan of a query when EF has translated it, and hands it on as a tag.</summary>
internal sealed class PlanningPostprocessorFactory(
    IQueryTranslationPostprocessorFactory inner,
    QueryTranslationPostprocessorDependencies dependencies,
    TrackedReads trackedReads) : IQueryTranslationPostprocessorFactory
{
    /// <inheritdoc />
    public QueryTranslationPostprocessor Create(QueryCompilationContext queryCompilationContext) =>
        new Postprocessor(dependencies, queryCompilationContext, inner.Create(queryCompilationContext), trackedReads);

    private sealed class Postprocessor(
        QueryTranslationPostprocessorDependencies dependencies,
        QueryCompilationContext compilation,
        QueryTranslationPostprocessor inner,
        TrackedReads trackedReads) : QueryTranslationPostprocessor(dependencies, compilation)
    {
        public override Expression Process(Expression expression)
        {
            var hints = QueryHints.TakeFrom(QueryCompilationContext.Tags);
            var cacheHints = CacheHints.TakeFrom(QueryCompilationContext.Tags);
            var translated = inner.Process(expression);
            if (translated is ShapedQueryExpression shaped)
            {
                var isTracking = QueryCompilationContext.QueryTrackingBehavior == QueryTrackingBehavior.TrackAll;
                var (query, hasRawEntities) = RawSqlTokens.Replace(shaped);
                var obstacle = new QueryClassifier(QueryCompilationContext.Model).Classify(query, isTracking, trackedReads, hasRawEntities, hints.Target == ReadTarget.Replica);
                QueryCompilationContext.AddTag(new QueryPlan(obstacle, hints, CacheableAnnotation.Apply(cacheHints, query.QueryExpression)).ToTag());
                return query;
            }

            return translated;
        }
    }
}
