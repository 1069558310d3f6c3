using System.Linq.Expressions;
using EfScaling.Caching;
using EfScaling.Routing.Shards;
using Microsoft.EntityFrameworkCore.Query;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Routing;

/// <summary>Takes the plan of a query out of its tags and gives it to the command that the SQL becomes, with what the final tree tells the cache.</summary>
internal sealed class PlannedSqlGeneratorFactory(IQuerySqlGeneratorFactory inner, QuerySqlGeneratorDependencies dependencies, bool isCached, bool isSharded) : IQuerySqlGeneratorFactory
{
    /// <inheritdoc />
    public QuerySqlGenerator Create() => new Generator(dependencies, inner.Create(), isCached, isSharded);

    private sealed class Generator(QuerySqlGeneratorDependencies dependencies, QuerySqlGenerator inner, bool isCached, bool isSharded) : QuerySqlGenerator(dependencies)
    {
        public override IRelationalCommand GetCommand(Expression queryExpression)
        {
            var command = inner.GetCommand(queryExpression);
            if (command is not RoutedCommand routed)
            {
                return command;
            }

            routed = isSharded ? routed.With(ShardPlanReader.Read(queryExpression)) : routed;
            var facts = isCached ? QueryFactsReader.Read(queryExpression) : null;
            if (facts?.Write is { } write)
            {
                return routed.With(write);
            }

            return queryExpression is SelectExpression select && QueryPlan.FindTag(select.Tags) is { } tag
                ? routed.With(QueryPlan.FromTag(tag), CommentOf(tag), facts)
                : routed;
        }

        // One line: a plan's tag has no line breaks.
        private string CommentOf(string tag) => Dependencies.SqlGenerationHelper.GenerateComment(tag).TrimEnd();
    }
}
