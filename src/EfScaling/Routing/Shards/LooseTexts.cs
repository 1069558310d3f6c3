using System.Linq.Expressions;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;

namespace EfScaling.Routing.Shards;

/// <summary>Finds columns of texts that are equal to texts with other bytes, beside set operations.</summary>
internal sealed class LooseTexts : ExpressionVisitor
{
    private bool _hasOperation;
    private bool _hasLoose;

    public static bool InSetOperations(Expression root)
    {
        var search = new LooseTexts();
        search.Visit(root);
        return search._hasOperation && search._hasLoose;
    }

    protected override Expression VisitExtension(Expression node)
    {
        _hasOperation |= node is SetOperationBase;
        _hasLoose |= node is CollateExpression || (node is ColumnExpression { Column: { } column } && column.PropertyMappings.Any(m => m.Property[Collations.LooseAnnotation] is not null));
        if (ProviderComparisons.FindDelete(node) is var (_, fromItems, _))
        {
            // The provider's own visiting leaves them out.
            foreach (var item in fromItems)
            {
                Visit(item);
            }
        }

        return base.VisitExtension(node);
    }
}
