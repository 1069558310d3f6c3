using System.Linq.Expressions;
using EfScaling.Caching;
using EfScaling.Diagnostics;
using EfScaling.Routing.Shards;
using EfScaling.Sharding.Catalog;
using Microsoft.EntityFrameworkCore.Query;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Routing;

/// <summary>Takes the plan of a query out of its tags and gives it to the command that the SQL becomes, with what the final tree tells the cache.</summary>
internal sealed class PlannedSqlGeneratorFactory(IQuerySqlGeneratorFactory inner, QuerySqlGeneratorDependencies dependencies, bool isCached, bool isSharded, bool isGoverned) : IQuerySqlGeneratorFactory
{
    /// <inheritdoc />
    public QuerySqlGenerator Create() => new Generator(dependencies, inner.Create(), isCached, isSharded, isGoverned);

    private sealed class Generator(QuerySqlGeneratorDependencies dependencies, QuerySqlGenerator inner, bool isCached, bool isSharded, bool isGoverned) : QuerySqlGenerator(dependencies)
    {
        public override IRelationalCommand GetCommand(Expression queryExpression)
        {
            var shards = isSharded ? ShardPlanReader.Read(queryExpression) : null;
            var command = inner.GetCommand(isGoverned && shards!.NeedsOwnership && queryExpression is SelectExpression read ? Guarded(read) : queryExpression);
            if (command is not RoutedCommand routed)
            {
                return command;
            }

            if (shards is not null)
            {
                ShardingMeter.CountPlan();
                routed = routed.With(shards);
            }

            var facts = isCached ? QueryFactsReader.Read(queryExpression) : null;
            if (facts?.Write is { } write)
            {
                return routed.With(write);
            }

            return queryExpression is SelectExpression select && QueryPlan.FindTag(select.Tags) is { } tag
                ? routed.With(QueryPlan.FromTag(tag), CommentOf(tag), facts)
                : routed;
        }

        // The outermost select alone: what it calls once and before all else proves it for the rest.
        private static SelectExpression Guarded(SelectExpression select)
        {
            var guard = new SqlFragmentExpression(OwnershipSql.ReadGuard);
            return select.Update(
                select.Tables,
                select.Predicate is { } predicate ? new SqlBinaryExpression(ExpressionType.AndAlso, predicate, guard, typeof(bool), predicate.TypeMapping) : guard,
                select.GroupBy,
                select.Having,
                select.Projection,
                select.Orderings,
                select.Offset,
                select.Limit);
        }

        // One line: a plan's tag has no line breaks.
        private string CommentOf(string tag) => Dependencies.SqlGenerationHelper.GenerateComment(tag).TrimEnd();
    }
}
