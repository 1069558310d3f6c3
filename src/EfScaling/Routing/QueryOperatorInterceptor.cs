using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace EfScaling.Routing;

/// <summary>Turns <c>AsPrimary</c>, <c>AsReplica</c> and <c>WithMaxStaleness</c> inside compiled queries into the tags they are elsewhere.</summary>
/// <remarks>An operator that is called outside a compiled query has tagged its query before EF sees it.</remarks>
internal sealed class QueryOperatorInterceptor : IQueryExpressionInterceptor
{
    /// <inheritdoc />
    public Expression QueryCompilationStarting(Expression queryExpression, QueryExpressionEventData eventData) => new Visitor().Visit(queryExpression);

    private sealed class Visitor : ExpressionVisitor
    {
        protected override Expression VisitMethodCall(MethodCallExpression node)
        {
            if (node.Method.DeclaringType != typeof(EfScalingQueryableExtensions))
            {
                return base.VisitMethodCall(node);
            }

            var tag = node.Method.Name switch
            {
                nameof(EfScalingQueryableExtensions.AsPrimary) => QueryHints.PrimaryTag,
                nameof(EfScalingQueryableExtensions.AsReplica) => QueryHints.ReplicaTag,
                _ => QueryHints.StalenessTag(LimitOf(node.Arguments[1])),
            };
            return Expression.Call(
                typeof(EntityFrameworkQueryableExtensions),
                nameof(EntityFrameworkQueryableExtensions.TagWith),
                node.Method.GetGenericArguments(),
                Visit(node.Arguments[0]),
                Expression.Constant(tag));
        }

        private static TimeSpan LimitOf(Expression argument) =>
            argument is ConstantExpression { Value: TimeSpan limit }
                ? limit
                : throw new InvalidOperationException(
                    "WithMaxStaleness inside a compiled query or a lambda was given a value that is only known at execution. "
                    + "Give it a constant there, call it on the query itself, or open a scope with context.Database.UseMaxStaleness(...) around the call.");
    }
}
