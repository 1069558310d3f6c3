using System.Linq.Expressions;
using EfScaling.Consistency;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace EfScaling.Routing;

/// <summary>Turns <c>AsPrimary</c>, <c>AsReplica</c>, <c>WithMaxStaleness</c> and <c>WithContract</c> inside compiled queries into the tags they are elsewhere.</summary>
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
                nameof(EfScalingQueryableExtensions.WithContract) => QueryHints.ContractTag(ConstantOf<ReadContract>(node, "UseContract")),
                _ => QueryHints.StalenessTag(ConstantOf<TimeSpan>(node, "UseMaxStaleness")),
            };
            return Expression.Call(
                typeof(EntityFrameworkQueryableExtensions),
                nameof(EntityFrameworkQueryableExtensions.TagWith),
                node.Method.GetGenericArguments(),
                Visit(node.Arguments[0]),
                Expression.Constant(tag));
        }

        private static TValue ConstantOf<TValue>(MethodCallExpression call, string scope) =>
            call.Arguments[1] is ConstantExpression { Value: TValue value }
                ? value
                : throw new InvalidOperationException(
                    $"{call.Method.Name} inside a compiled query or a lambda was given a value that is only known at execution. "
                    + $"Give it a constant there, call it on the query itself, or open a scope with context.Database.{scope}(...) around the call.");
    }
}
