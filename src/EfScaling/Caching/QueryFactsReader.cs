using System.Data.Common;
using System.Linq.Expressions;
using EfScaling.Caching.Rows;
using System.Text.RegularExpressions;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;

namespace EfScaling.Caching;

/// <summary>Reads facts off the final SQL tree of a command, as the SQL generator gets it.</summary>
/// <remarks>
/// Knows by name each kind of node that EF and the provider make. Any other, also one derived from a known kind, may read what it does not show, and is an
/// obstacle.
/// </remarks>
internal sealed partial class QueryFactsReader : ExpressionVisitor
{
    private readonly SortedSet<TableName> _tables = [];
    private CacheRefusal? _obstacle;
    private bool _mayWriteUnseen;

    private QueryFactsReader()
    {
    }

    /// <summary>Reads the facts of one command.</summary>
    /// <param name="root">The tree: a select, an update or a delete.</param>
    public static QueryFacts Read(Expression root)
    {
        var reader = new QueryFactsReader();
        reader.Visit(root);
        var select = root as SelectExpression;
        var columns = select is null ? [] : reader.ColumnsOf(select);
        if (select is null)
        {
            reader.Note(CacheObstacle.Write, root.GetType().Name);
        }

        return new QueryFacts
        {
            Tables = [.. reader._tables],
            Columns = columns,
            Obstacle = reader._obstacle,
            AreColumnsFoundByName = select?.IsNonComposedFromSql() == true,
            MayWriteUnseen = reader._mayWriteUnseen,
            Write = select is null ? reader.WriteOf(root) : null,
        };
    }

    /// <summary>Returns why what a command computes does not follow from rows and parameters alone; <see langword="null"/> if it does.</summary>
    /// <param name="root">The tree: a select, an update or a delete.</param>
    public static CacheRefusal? Judge(Expression root)
    {
        var reader = new QueryFactsReader();
        reader.Visit(root);
        return reader._obstacle;
    }

    /// <inheritdoc />
    protected override Expression VisitExtension(Expression node)
    {
        var type = node.GetType();
        if (!RelationalNodes.Contains(type) && !ProviderNodes.Contains(type))
        {
            _mayWriteUnseen = true;
            Note(CacheObstacle.UnknownExpression, type.Name);

            // Its children may still be told, for the tables that they name; whether it shows all of them is not known.
        }

        switch (node)
        {
            case FromSqlExpression fromSql:
                _mayWriteUnseen |= RawSqlText.MayWrite(fromSql.Sql);
                Note(RawSqlText.Judge(fromSql.Sql));
                break;
            case TableExpression table:
                NoteTable(table);
                break;
            case TableValuedFunctionExpression function:
                NoteFunction(function.Name, function.IsBuiltIn, function.Schema, function.Arguments);
                break;
            case SqlFunctionExpression function:
                NoteFunction(function.Name, function.IsBuiltIn && function.Instance is null, function.Schema, function.Arguments);
                break;
            case SqlFragmentExpression fragment when !KnownFragment().IsMatch(fragment.Sql) || DeterministicFunctions.Judge(fragment.Sql, 0) is not (null or CacheObstacle.UnknownFunction):
                _mayWriteUnseen = true;
                Note(CacheObstacle.UnknownExpression, nameof(SqlFragmentExpression));
                break;
            case SqlUnaryExpression { OperatorType: ExpressionType.Convert, TypeMapping.StoreType: var target } cast when cast.Operand.Type == typeof(string) && IsTime(target):
                Note(CacheObstacle.VolatileFunction, $"cast of text to {target}");
                break;
            case ColumnExpression { Name: "ctid" or "cmin" or "cmax" or "xmax" } column:
                Note(CacheObstacle.SystemColumn, column.Name);
                break;
        }

        if (ProviderNodes.JudgeOperator(node) is { } refusal)
        {
            Note(refusal);
        }

        if (ProviderNodes.FindDelete(node) is var (deleted, fromItems))
        {
            Visit(deleted);
            foreach (var item in fromItems)
            {
                Visit(item);
            }
        }

        return base.VisitExtension(node);
    }

    private IReadOnlyList<RowColumn> ColumnsOf(SelectExpression select)
    {
        var columns = new RowColumn[select.Projection.Count];
        for (var i = 0; i < columns.Length; i++)
        {
            var projection = select.Projection[i];
            var name = projection.Alias.Length == 0 ? null : projection.Alias;
            var method = projection.Expression.TypeMapping?.GetDataReaderMethod();

            // A method of the provider's own reader cannot be served from kept rows.
            if (method?.DeclaringType != typeof(DbDataReader))
            {
                Note(CacheObstacle.UnmappedType, name ?? "column without a name");
            }

            columns[i] = new RowColumn(name, method?.ReturnType ?? projection.Expression.Type, projection.Expression.TypeMapping?.StoreType ?? string.Empty);
        }

        return columns;
    }

    private WriteFacts WriteOf(Expression root)
    {
        if (_mayWriteUnseen)
        {
            return WriteFacts.Unknown;
        }

        return root switch
        {
            UpdateExpression update => new WriteFacts(NameOf(update.Table), WriteKind.Update),
            DeleteExpression delete => new WriteFacts(NameOf(delete.Table), WriteKind.Delete),
            _ when ProviderNodes.FindDelete(root) is var (table, _) => new WriteFacts(NameOf(table), WriteKind.Delete),
            _ => WriteFacts.Unknown,
        };
    }

    private void NoteTable(TableExpression table)
    {
        var name = NameOf(table);
        _tables.Add(name);
        if (name.Schema is "pg_catalog" or "information_schema" or "pg_toast" || (name.Schema is null && name.Name.StartsWith("pg_", StringComparison.Ordinal)))
        {
            Note(CacheObstacle.SystemCatalog, name.Name);
        }
    }

    private void NoteFunction(string name, bool isBuiltIn, string? schema, IReadOnlyList<Expression>? arguments)
    {
        if (!isBuiltIn || schema is not (null or "pg_catalog"))
        {
            _mayWriteUnseen = true;
            Note(CacheObstacle.ApplicationFunction, name);
        }
        else if (DeterministicFunctions.Judge(name, arguments?.Count ?? 0) is { } obstacle)
        {
            _mayWriteUnseen |= obstacle == CacheObstacle.UnknownFunction;
            Note(obstacle, name);
        }
        else if (IsTime(name) && arguments?.Any(a => a.Type == typeof(string)) == true)
        {
            Note(CacheObstacle.VolatileFunction, $"cast of text to {name}");
        }
    }

    private void Note(CacheObstacle obstacle, string detail) => Note(new CacheRefusal(obstacle, detail));

    // What declared dependencies lift must not hide what they do not.
    private void Note(CacheRefusal refusal) => _obstacle = _obstacle is null || (_obstacle.IsLiftedByDeclaration && !refusal.IsLiftedByDeclaration) ? refusal : _obstacle;

    private static TableName NameOf(TableExpression table) => new(table.Schema, table.Name);

    // Text such as 'now' and 'today' reads as the present time.
    private static bool IsTime(string storeType) =>
        storeType.StartsWith("date", StringComparison.OrdinalIgnoreCase) ? storeType.Equals("date", StringComparison.OrdinalIgnoreCase)
            : storeType.StartsWith("time", StringComparison.OrdinalIgnoreCase) && !storeType.Equals("timezone", StringComparison.OrdinalIgnoreCase);

    // What the provider's translators write: a star, names of date parts, and literals without a value of the application.
    [GeneratedRegex(@"\A(\*|[A-Za-z]+|DATE '\d{4}-\d\d-\d\d'|INTERVAL '-?[\d.]+ [A-Za-z]+')\z", RegexOptions.CultureInvariant)]
    private static partial Regex KnownFragment();
}
