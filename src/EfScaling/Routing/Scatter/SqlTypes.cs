using System.Linq.Expressions;
using System.Text.RegularExpressions;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;

namespace EfScaling.Routing.Scatter;

/// <summary>Tells the types of the expressions of a query, as SQL that text can be cast to.</summary>
/// <remarks>Used once for each command; not thread-safe.</remarks>
internal sealed partial class SqlTypes
{
    private static readonly string[] _texts = ["text", "char", "varchar", "bpchar", "citext", "name"];

    private static readonly string[] _special = ["character(", "char(", "bpchar(", "bit"];

    private readonly Dictionary<string, TableExpressionBase> _derived = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Table, string Column), (IReadOnlyList<string> Collations, bool IsStored)> _collected = [];

    /// <param name="root">The tree of the query.</param>
    public SqlTypes(Expression root) => new Tables(_derived).Visit(root);

    /// <summary>Returns the type of an expression's values; <see langword="null"/> if it is not certain.</summary>
    /// <remarks>Without precision: what an expression computes is not rounded by the type that EF gives it. Texts keep their collation.</remarks>
    public string? Of(SqlExpression expression)
    {
        // Money is written in the manner of each database.
        if (expression.TypeMapping is not { StoreType: var storeType } || storeType == "money")
        {
            return null;
        }

        // What an expression computes of these may be of another type, or longer, whatever type EF gives it; and a cast cuts off or fills up without a word.
        var isSpecial = IsSpecial(storeType);
        if (isSpecial && !IsStored(expression))
        {
            return null;
        }

        var type = isSpecial ? storeType : Precision().Replace(storeType, string.Empty);
        return CollationsOf(expression) switch
        {
            [] => type,
            [var collation] => $"{type} COLLATE {string.Join('.', collation.Split('.').Select(Quoted))}",
            _ => null,
        };
    }

    /// <summary>Notes that a column of an intermediate result holds the values of an expression.</summary>
    public void Note(string table, string column, SqlExpression expression) => _collected[(table, column)] = (CollationsOf(expression), IsStored(expression));

    // As PostgreSQL derives them: from whatever texts a text is made of, also through derived tables. It compares by the default one if none is named.
    private IReadOnlyList<string> CollationsOf(SqlExpression expression)
    {
        var found = new SortedSet<string>(StringComparer.Ordinal);
        new Named(this, found).Visit(expression);
        return [.. found];
    }

    // Whether an expression gives the values of a column as they are.
    private bool IsStored(SqlExpression? expression)
    {
        return expression switch
        {
            ColumnExpression { Column: not null } => true,
            ColumnExpression column => _collected.TryGetValue((column.TableAlias, column.Name), out var collected) ? collected.IsStored : IsStoredIn(_derived.GetValueOrDefault(column.TableAlias), column.Name),
            ScalarSubqueryExpression scalar => IsStored(scalar.Subquery.Projection[0].Expression),
            SqlFunctionExpression { Name: var name, Arguments: [var argument] } when AggregateFunction.Is(expression) && name.ToUpperInvariant() is "MIN" or "MAX" => IsStored(argument),
            _ => false,
        };

        bool IsStoredIn(TableExpressionBase? table, string name) => table switch
        {
            TableExpression => true,
            SelectExpression select => IsStored(select.Projection.FirstOrDefault(p => p.Alias == name)?.Expression),
            SetOperationBase operation when operation.Source1.Projection.ToList().FindIndex(p => p.Alias == name) is >= 0 and var place =>
                IsStored(operation.Source1.Projection[place].Expression) && IsStored(operation.Source2.Projection[place].Expression),
            _ => false,
        };
    }

    // Texts of a fixed length, and those that are equal in any case.
    private static bool IsSpecial(string storeType) =>
        storeType is "character" or "char" or "bpchar" or "citext" || Array.Exists(_special, p => storeType.StartsWith(p, StringComparison.Ordinal));

    private static bool IsText(string storeType) => Array.Exists(_texts, p => storeType.StartsWith(p, StringComparison.Ordinal));

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
                See(stored);
            }
            else if (types._collected.TryGetValue((column.TableAlias, column.Name), out var collected))
            {
                found.UnionWith(collected.Collations);
            }
            else if (types._derived.GetValueOrDefault(column.TableAlias) is { } table)
            {
                See(table, column.Name);
            }
        }

        private void See(IColumnBase stored) => found.UnionWith(stored.PropertyMappings.Select(m => m.Property[Collations.Annotation]).OfType<string>());

        private void See(TableExpressionBase table, string name)
        {
            switch (table)
            {
                // Where EF has copied a part of the query, columns do not know any more what they read.
                case TableExpression plain when plain.Table.FindColumn(name) is { } stored:
                    See(stored);
                    break;

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
            if (node is TableExpression or SelectExpression { Alias: not null } or SetOperationBase { Alias: not null })
            {
                var table = (TableExpressionBase)node;
                derived[table.Alias!] = table;
            }

            return base.VisitExtension(node);
        }
    }
}
