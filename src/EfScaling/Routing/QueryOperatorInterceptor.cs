using System.Linq.Expressions;
using EfScaling.Caching;
using EfScaling.Consistency;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace EfScaling.Routing;

/// <summary>Turns the query operators of EfScaling inside compiled queries into the tags they are elsewhere.</summary>
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
                nameof(EfScalingQueryableExtensions.OnShard) => QueryHints.ShardTag(ConstantOf<string>(node, 1)),
                nameof(EfScalingQueryableExtensions.Cacheable) => CacheHints.TimeTag(TimeOf(node), ConstantOf<bool>(node, 2)),
                nameof(EfScalingQueryableExtensions.NotCacheable) => CacheHints.NotCacheableTag,
                nameof(EfScalingQueryableExtensions.AsExpensive) => CacheHints.ExpensiveTag,
                nameof(EfScalingQueryableExtensions.WithCacheTag) => CacheHints.NameTag(ConstantOf<string>(node, 1)),
                nameof(EfScalingQueryableExtensions.VaryBy) => CacheHints.VaryTag(ConstantOf<string>(node, 1)),
                nameof(EfScalingQueryableExtensions.DependsOnTable) => CacheHints.TableTag(new TableName(ValueOf(node.Arguments[2]) as string, ConstantOf<string>(node, 1))),
                _ => QueryHints.StalenessTag(ConstantOf<TimeSpan>(node, "UseMaxStaleness")),
            };
            return Expression.Call(
                typeof(EntityFrameworkQueryableExtensions),
                nameof(EntityFrameworkQueryableExtensions.TagWith),
                node.Method.GetGenericArguments(),
                Visit(node.Arguments[0]),
                Expression.Constant(tag));
        }

        private static TimeSpan? TimeOf(MethodCallExpression call) => ValueOf(call.Arguments[1]) switch
        {
            TimeSpan time => QueryHints.RoundDown(time),
            null when call.Arguments[1] is ConstantExpression or DefaultExpression => null,
            _ => throw Refusal(call, string.Empty),
        };

        private static TValue ConstantOf<TValue>(MethodCallExpression call, string scope) =>
            ValueOf(call.Arguments[1]) is TValue value ? value : throw Refusal(call, $", or open a scope with context.Database.{scope}(...) around the call");

        private static TValue ConstantOf<TValue>(MethodCallExpression call, int argument) =>
            ValueOf(call.Arguments[argument]) is TValue value ? value : throw Refusal(call, string.Empty);

        // A constant TimeSpan comes as itself or in a conversion to the nullable type of the parameter.
        private static object? ValueOf(Expression argument) => argument switch
        {
            ConstantExpression constant => constant.Value,
            UnaryExpression { NodeType: ExpressionType.Convert, Operand: ConstantExpression constant } => constant.Value,
            _ => null,
        };

        private static InvalidOperationException Refusal(MethodCallExpression call, string orScope) => new(
            $"{call.Method.Name} inside a compiled query or a lambda was given a value that is only known at execution. "
            + $"Give it a constant there, call it on the query itself{orScope}.");
    }
}
