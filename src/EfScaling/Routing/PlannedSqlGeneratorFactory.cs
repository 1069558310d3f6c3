using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore.Query;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Routing;

/// <summary>Takes the plan of a query out of its tags and gives it to the command that the SQL becomes.</summary>
internal sealed class PlannedSqlGeneratorFactory(IQuerySqlGeneratorFactory inner, QuerySqlGeneratorDependencies dependencies) : IQuerySqlGeneratorFactory
{
    /// <inheritdoc />
    public QuerySqlGenerator Create() => new Generator(dependencies, inner.Create());

    private sealed class Generator(QuerySqlGeneratorDependencies dependencies, QuerySqlGenerator inner) : QuerySqlGenerator(dependencies)
    {
        public override IRelationalCommand GetCommand(Expression queryExpression)
        {
            var command = inner.GetCommand(queryExpression);
            return command is RoutedCommand routed && queryExpression is SelectExpression select && QueryPlan.FindTag(select.Tags) is { } tag
                ? routed.With(QueryPlan.FromTag(tag), CommentOf(tag))
                : command;
        }

        // One line: a plan's tag has no line breaks.
        private string CommentOf(string tag) => Dependencies.SqlGenerationHelper.GenerateComment(tag).TrimEnd();
    }
}
