using System.Linq.Expressions;
using EfScaling.Caching;
using EfScaling.Diagnostics;
using EfScaling.Routing.Scatter;
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
    public QuerySqlGenerator Create() => new Generator(dependencies, inner, isCached, isSharded, isGoverned);

    private sealed class Generator(QuerySqlGeneratorDependencies dependencies, IQuerySqlGeneratorFactory factory, bool isCached, bool isSharded, bool isGoverned) : QuerySqlGenerator(dependencies)
    {
        public override IRelationalCommand GetCommand(Expression queryExpression)
        {
            var shards = isSharded ? ShardPlanReader.Read(queryExpression) : null;
            var command = Generate(queryExpression, shards);
            if (command is not RoutedCommand routed)
            {
                return command;
            }

            if (shards is not null)
            {
                ShardingMeter.CountPlan();
                routed = routed.With(shards, queryExpression is SelectExpression root ? new ScatterPlans(root, part => PartOf(root, part)) : null, SpreadOf(queryExpression));
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

        // Judged only for writes that are not of one shard.
        private static Lazy<ScatterRefusal?>? SpreadOf(Expression tree) => tree is SelectExpression ? null : new(() => SpreadWrite.Judge(tree));

        // Each time by a generator of its own: parts are generated later, and on other threads.
        private IRelationalCommand Generate(Expression tree, ShardPlan? shards) =>
            factory.Create().GetCommand(isGoverned && shards!.NeedsOwnership && tree is SelectExpression read ? Guarded(read) : tree);

        // The command of a part of a query over several shards.
        private RoutedCommand PartOf(SelectExpression root, SelectExpression part)
        {
            var shards = ShardPlanReader.Read(part);
            var command = (RoutedCommand)Generate(part, shards);
            return QueryPlan.FindTag(root.Tags) is { } tag
                ? command.With(QueryPlan.FromTag(tag), CommentOf(tag), facts: null).With(QueryPlan.FromTag(tag), shards)
                : command.With(plan: null, shards);
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
