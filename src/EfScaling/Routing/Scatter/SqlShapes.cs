using System.Linq.Expressions;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;

namespace EfScaling.Routing.Scatter;

/// <summary>Looks for what a SQL tree contains.</summary>
internal static class SqlShapes
{
    /// <summary>Returns how many tables whose rows do not live on every shard a tree reads.</summary>
    public static int CountPlaced(Expression? tree) => Search.In(tree, static (node, search) => search.Count += node is TableExpression table && IsPlaced(table) ? 1 : 0, entersSelects: true).Count;

    /// <summary>Returns whether a tree computes over several rows at once.</summary>
    public static bool HasAggregate(Expression? tree) => Search.In(tree, static (node, search) => search.Count += AggregateFunction.Is(node) ? 1 : 0, entersSelects: false).Count > 0;

    /// <summary>Returns whether two expressions are the same.</summary>
    /// <remarks>A function of EF is equal to one of the provider that has a filter as well, but not the other way round; and aggregates of the provider are equal that differ by DISTINCT.</remarks>
    public static bool AreEqual(SqlExpression one, SqlExpression other) => one.Equals(other) && other.Equals(one) && DistinctIn(one).SequenceEqual(DistinctIn(other));

    /// <summary>Returns whether a tree asks from which shard collected rows came.</summary>
    public static bool FollowsOrigin(Expression tree) =>
        Search.In(tree, static (node, search) => search.Count += node is ColumnExpression { Name: IntermediateResult.Shard } ? 1 : 0, entersSelects: true).Count > 0;

    /// <summary>Returns the windows of a tree.</summary>
    public static IReadOnlyList<RowNumberExpression> WindowsOf(Expression? tree)
    {
        var windows = new List<RowNumberExpression>();
        Search.In(tree, (node, _) =>
        {
            if (node is RowNumberExpression window)
            {
                windows.Add(window);
            }
        }, entersSelects: false);
        return windows;
    }

    /// <summary>Returns whether a select reads columns of the selects around it.</summary>
    public static bool IsCorrelated(SelectExpression select) => !IsWithin(select, new HashSet<string>());

    /// <summary>Returns whether a tree reads no columns but those of some tables and its own.</summary>
    public static bool IsWithin(Expression tree, IReadOnlySet<string> tables)
    {
        var (defined, used) = (new HashSet<string>(tables, StringComparer.Ordinal), new HashSet<string>(StringComparer.Ordinal));
        Search.In(tree, (node, _) =>
        {
            switch (node)
            {
                case ColumnExpression column:
                    used.Add(column.TableAlias);
                    break;
                case JoinExpressionBase:
                    break;
                case TableExpressionBase { Alias: { } alias }:
                    defined.Add(alias);
                    break;
            }
        }, entersSelects: true);
        return used.IsSubsetOf(defined);
    }

    /// <summary>Returns whether a tree holds a table with an alias.</summary>
    public static bool Defines(Expression tree, string alias) =>
        Search.In(tree, (node, search) => search.Count += node is TableExpressionBase table and not JoinExpressionBase && table.Alias == alias ? 1 : 0, entersSelects: true).Count > 0;

    /// <summary>Returns the aliases of the tables of a select.</summary>
    public static IReadOnlySet<string> AliasesOf(SelectExpression select) =>
        select.Tables.Select(t => (t is JoinExpressionBase join ? join.Table : t).Alias).OfType<string>().ToHashSet(StringComparer.Ordinal);

    private static List<bool> DistinctIn(SqlExpression expression)
    {
        var found = new List<bool>();
        Search.In(
            expression,
            (node, _) =>
            {
                if (AggregateFunction.Is(node))
                {
                    found.Add(AggregateFunction.DistinctOf((SqlFunctionExpression)node) is not null);
                }
            },
            entersSelects: true);
        return found;
    }

    private static bool IsPlaced(TableExpression table) => SelectFacts.PlaceOf(table) is not { Placement: TablePlacement.Reference };

    private sealed class Search(Action<Expression, Search> see, bool entersSelects) : ExpressionVisitor
    {
        public int Count { get; set; }

        public static Search In(Expression? tree, Action<Expression, Search> see, bool entersSelects)
        {
            var search = new Search(see, entersSelects);
            search.Visit(tree);
            return search;
        }

        protected override Expression VisitExtension(Expression node)
        {
            see(node, this);
            return node is SelectExpression && !entersSelects ? node : base.VisitExtension(node);
        }
    }
}
