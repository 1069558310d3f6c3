using System.Linq.Expressions;
using System.Text.RegularExpressions;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;

namespace EfScaling.Routing.Scatter;

/// <summary>Tells the types of the expressions of a query, as SQL that text can be cast to.</summary>
/// <remarks>Used once for each command; not thread-safe.</remarks>
internal sealed partial class SqlTypes
{
    private readonly Dictionary<string, TableExpressionBase> _derived = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Table, string Column), IReadOnlyList<string>> _collected = [];

    /// <param name="root">The tree of the query.</param>
    public SqlTypes(Expression root) => new Tables(_derived).Visit(root);

    /// <summary>Returns the type of an expression's values; <see langword="null"/> if it is not certain.</summary>
    /// <remarks>Without precision: what an expression computes is not rounded by the type that EF gives it. Texts keep their collation.</remarks>
    public string? Of(SqlExpression expression)
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
            [] => type,
            [var collation] => $"{type} COLLATE {string.Join('.', collation.Split('.').Select(Quoted))}",
            _ => null,
        };
    }

    /// <summary>Notes that a column of an intermediate result holds the values of an expression.</summary>
    public void Note(string table, string column, SqlExpression expression) => _collected[(table, column)] = CollationsOf(expression);

    // As PostgreSQL derives them: from whatever texts a text is made of, also through derived tables. It compares by the default one if none is named.
    private IReadOnlyList<string> CollationsOf(SqlExpression expression)
    {
        var found = new SortedSet<string>(StringComparer.Ordinal);
        new Named(this, found).Visit(expression);
        return [.. found];
    }

    private static bool IsText(string storeType) =>
        storeType.StartsWith("text", StringComparison.Ordinal) || storeType.StartsWith("character", StringComparison.Ordinal) || storeType.StartsWith("citext", StringComparison.Ordinal);

    private static string Quoted(string name) => $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    [GeneratedRegex(@"\(\s*\d+(\s*,\s*-?\d+)?\s*\)")]
    private static partial Regex Precision();

    private sealed class Named(SqlTypes types, SortedSet<string> found) : ExpressionVisitor
    {
        protected override Expression VisitExtension(Expression node)
        {
            switch (node)
            {
                case SqlExpression { TypeMapping.StoreType: var storeType } when !IsText(storeType):
                    break;

                case CollateExpression collate:
                    found.Add(collate.Collation);
                    break;

                case ColumnExpression column:
                    See(column);
                    break;

                case ScalarSubqueryExpression scalar:
                    Visit(scalar.Subquery.Projection[0].Expression);
                    break;

                case CaseExpression choice:
                    Visit(choice.ElseResult);
                    foreach (var when in choice.WhenClauses)
                    {
                        Visit(when.Result);
                    }

                    break;

                default:
                    return base.VisitExtension(node);
            }

            return node;
        }

        private void See(ColumnExpression column)
        {
            if (column.Column is { } stored)
            {
                found.UnionWith(stored.PropertyMappings.Select(m => m.Property[Collations.Annotation]).OfType<string>());
            }
            else if (types._collected.TryGetValue((column.TableAlias, column.Name), out var collected))
            {
                found.UnionWith(collected);
            }
            else if (types._derived.GetValueOrDefault(column.TableAlias) is { } table)
            {
                See(table, column.Name);
            }
        }

        private void See(TableExpressionBase table, string name)
        {
            switch (table)
            {
                case SelectExpression select:
                    Visit(select.Projection.FirstOrDefault(p => p.Alias == name)?.Expression);
                    break;

                case SetOperationBase operation when operation.Source1.Projection.ToList().FindIndex(p => p.Alias == name) is >= 0 and var place:
                    Visit(operation.Source1.Projection[place].Expression);
                    Visit(operation.Source2.Projection[place].Expression);
                    break;
            }
        }
    }

    private sealed class Tables(Dictionary<string, TableExpressionBase> derived) : ExpressionVisitor
    {
        protected override Expression VisitExtension(Expression node)
        {
            if (node is SelectExpression { Alias: not null } or SetOperationBase { Alias: not null })
            {
                var table = (TableExpressionBase)node;
                derived[table.Alias!] = table;
            }

            return base.VisitExtension(node);
        }
    }
}
