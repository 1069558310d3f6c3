using System.Linq.Expressions;
using EfScaling.Replication;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Query;
using Microsoft.EntityFrameworkCore.Query.SqlExpressions;

namespace EfScaling.Routing;

/// <summary>Finds in the SQL tree of a query what keeps it on the primary: application SQL, functions not known to only read, tables replicas lack.</summary>
/// <remarks>Used once for each compiled query; not thread-safe.</remarks>
internal sealed class QueryClassifier(IModel model) : ExpressionVisitor
{
    private RoutingReason? _obstacle;

    /// <summary>Classifies a translated query.</summary>
    /// <param name="query">The select and the shaper that makes objects of its rows.</param>
    /// <param name="isTracking">Whether the change tracker keeps the entities of the result.</param>
    /// <param name="trackedReads">The rule for queries with tracking.</param>
    /// <param name="hasRawEntities">Whether entities come from application SQL, which does not tell their tokens.</param>
    /// <param name="isVouchedFor">Whether the application says that its SQL and functions only read.</param>
    /// <returns>Why the query must stay on the primary, or <see langword="null"/>.</returns>
    public RoutingReason? Classify(ShapedQueryExpression query, bool isTracking, TrackedReads trackedReads, bool hasRawEntities, bool isVouchedFor)
    {
        _obstacle = null;
        Visit(query.QueryExpression);
        if (isVouchedFor && _obstacle is (RoutingReason.RawSql or RoutingReason.UnknownFunction))
        {
            _obstacle = null;
        }

        return _obstacle ?? (isTracking ? TrackingObstacle(query.ShaperExpression, trackedReads, hasRawEntities) : null);
    }

    /// <inheritdoc />
    protected override Expression VisitExtension(Expression node)
    {
        switch (node)
        {
            case FromSqlExpression:
                Note(RoutingReason.RawSql);
                break;
            case TableExpression table:
                NoteIf(LacksOnReplicas(table.Table), RoutingReason.PrimaryOnlyTable);
                break;
            case TableValuedFunctionExpression function:
                NoteIf(!IsKnownToRead(function.Name, function.Schema, function.IsBuiltIn), RoutingReason.UnknownFunction);
                break;
            case SqlFunctionExpression function:
                NoteIf(!IsKnownToRead(function.Name, function.Schema, function.IsBuiltIn), RoutingReason.UnknownFunction);
                break;
            case SqlFragmentExpression fragment:
                // The provider writes '*' and field names this way; a call would need a parenthesis.
                NoteIf(fragment.Sql.Contains('(', StringComparison.Ordinal), RoutingReason.UnknownFunction);
                break;
        }

        return base.VisitExtension(node);
    }

    private static RoutingReason? TrackingObstacle(Expression shaper, TrackedReads trackedReads, bool hasRawEntities)
    {
        if (trackedReads == TrackedReads.ReplicaUnprotected)
        {
            return null;
        }

        var tracked = new TrackedEntities();
        tracked.Visit(shaper);
        if (tracked.EntityTypes.Count == 0)
        {
            return null;
        }

        return trackedReads == TrackedReads.Primary
            ? RoutingReason.TrackedRead
            : !hasRawEntities && tracked.EntityTypes.All(WriteProtection.Covers) ? null : RoutingReason.TrackedWithoutToken;
    }

    private static bool LacksOnReplicas(ITableBase table) =>
        table.Schema is "pg_catalog" or "information_schema"
        || table.EntityTypeMappings.Any(m => m.TypeBase is IEntityType entityType && PrimaryOnlyAnnotation.IsSet(entityType));

    private bool IsKnownToRead(string name, string? schema, bool isBuiltIn)
    {
        // A built-in function is called without a schema, while its mapping reports the model's default schema.
        var mapped = model.GetDbFunctions().Where(f => f.Name == name && (f.IsBuiltIn ? isBuiltIn : f.Schema == schema)).ToList();
        if (mapped.Count > 0 && mapped.All(StableFunctionAnnotation.IsSet))
        {
            // All overloads: the tree does not say which of them it calls.
            return true;
        }

        return isBuiltIn && schema is null or "pg_catalog" && ReadingFunctions.Contains(name);
    }

    private void NoteIf(bool isObstacle, RoutingReason obstacle)
    {
        if (isObstacle)
        {
            Note(obstacle);
        }
    }

    // A table that replicas lack outweighs what AsReplica can vouch for.
    private void Note(RoutingReason obstacle) =>
        _obstacle = _obstacle is null || obstacle == RoutingReason.PrimaryOnlyTable ? obstacle : _obstacle;

    private sealed class TrackedEntities : ExpressionVisitor
    {
        public HashSet<IEntityType> EntityTypes { get; } = [];

        protected override Expression VisitExtension(Expression node)
        {
            if (node is StructuralTypeShaperExpression { StructuralType: IEntityType entityType } && entityType.FindPrimaryKey() is not null)
            {
                EntityTypes.Add(entityType);
            }

            return base.VisitExtension(node);
        }
    }
}
