using System.Linq.Expressions;
using System.Text.RegularExpressions;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Routing.Scatter;

/// <summary>Looks for what a SQL tree contains.</summary>
internal static partial class SqlShapes
{
    /// <summary>Returns how many tables whose rows do not live on every shard a tree reads.</summary>
    public static int CountPlaced(Expression? tree) => Search.In(tree, static (node, search) => search.Count += node is TableExpression table && IsPlaced(table) ? 1 : 0, entersSelects: true).Count;

    /// <summary>Returns whether a tree computes over several rows at once.</summary>
    public static bool HasAggregate(Expression? tree) => Search.In(tree, static (node, search) => search.Count += AggregateFunction.Is(node) ? 1 : 0, entersSelects: false).Count > 0;

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
    public static bool IsCorrelated(SelectExpression select)
    {
        var (defined, used) = (new HashSet<string>(StringComparer.Ordinal), new HashSet<string>(StringComparer.Ordinal));
        Search.In(select, (node, _) =>
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
        return used.Any(a => !defined.Contains(a));
    }

    /// <summary>Returns the type of an expression's values, as SQL that text can be cast to; <see langword="null"/> if it is not certain.</summary>
    /// <remarks>Without precision: what an expression computes is not rounded by the type that EF gives it. Texts keep their collation.</remarks>
    public static string? TypeOf(SqlExpression expression)
    {
        if (expression.TypeMapping is not { StoreType: var storeType })
        {
            return null;
        }

        if (storeType.StartsWith("character(", StringComparison.Ordinal) || storeType.StartsWith("bit", StringComparison.Ordinal))
        {
            return storeType;
        }

        var type = Precision().Replace(storeType, string.Empty);
        return CollationsOf(expression) switch
        {
            _ when !IsText(type) => type,
            [] => type,
            [var collation] => $"{type} COLLATE {string.Join('.', collation.Split('.').Select(Quoted))}",
            _ => null,
        };
    }

    /// <summary>Returns whether values of a type are texts that a collation orders.</summary>
    public static bool IsText(string type) => type is "text" or "character varying" or "citext" || type.StartsWith("character(", StringComparison.Ordinal);

    /// <summary>Returns the collations that are named for what an expression computes.</summary>
    public static IReadOnlyList<string> CollationsOf(SqlExpression expression)
    {
        var found = new SortedSet<string>(StringComparer.Ordinal);
        Search.In(expression, (node, _) =>
        {
            if ((node as CollateExpression)?.Collation is { } named)
            {
                found.Add(named);
            }
            else if (node is ColumnExpression { Column: { } column })
            {
                found.UnionWith(column.PropertyMappings.Select(m => m.Property[Collations.Annotation]).OfType<string>());
            }
        }, entersSelects: true);
        return [.. found];
    }

    private static bool IsPlaced(TableExpression table) => SelectFacts.PlaceOf(table) is not { Placement: TablePlacement.Reference };

    private static string Quoted(string name) => $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    [GeneratedRegex(@"\(\s*\d+(\s*,\s*-?\d+)?\s*\)")]
    private static partial Regex Precision();

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
