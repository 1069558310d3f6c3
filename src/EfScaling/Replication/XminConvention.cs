using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using Microsoft.EntityFrameworkCore.Metadata.Conventions;

namespace EfScaling.Replication;

/// <summary>Makes PostgreSQL's system column <c>xmin</c> the concurrency token of every entity that has none.</summary>
/// <param name="isCopied">Whether the rows of an entity are copied to several databases, in each of which they have another <c>xmin</c>.</param>
/// <remarks>
/// <c>xmin</c> changes with every update of a row (PostgreSQL, "System Columns"), so the check catches each change that a stale read did not see. The
/// column exists in every table already; <see cref="XminMigrationsModelDiffer"/> keeps it out of migrations.
/// </remarks>
internal sealed class XminConvention(Func<IReadOnlyEntityType, bool> isCopied) : IModelFinalizingConvention
{
    /// <inheritdoc />
    public void ProcessModelFinalizing(IConventionModelBuilder modelBuilder, IConventionContext<IConventionModelBuilder> context)
    {
        foreach (var entityType in modelBuilder.Metadata.GetEntityTypes())
        {
            if (NeedsToken(entityType) && !isCopied(entityType))
            {
                AddToken(entityType);
            }
        }
    }

    private static bool NeedsToken(IConventionEntityType entityType) =>
        entityType.BaseType is null
        && entityType.FindPrimaryKey() is not null
        && !entityType.IsMappedToJson()
        && !WriteProtection.IsInTableOfOwner(entityType)
        && entityType.GetDerivedTypesInclusive().Any(t => t.GetTableName() is not null)
        && !entityType.GetDerivedTypesInclusive().SelectMany(t => t.GetDeclaredProperties()).Any(p => p.IsConcurrencyToken)
        && entityType.GetDerivedTypesInclusive().All(t => WriteProtection.HasOneRow(t) && HasTableOnly(t))
        && entityType.FindProperty(WriteProtection.TokenName) is null
        && !SharesTableWithToken(entityType);

    // What reads or writes such an entity besides its table does not have the column.
    private static bool HasTableOnly(IConventionEntityType entityType) =>
        entityType.GetViewName() is null
        && entityType.GetFunctionName() is null
        && entityType.GetSqlQuery() is null
        && entityType.GetInsertStoredProcedure() is null
        && entityType.GetUpdateStoredProcedure() is null
        && entityType.GetDeleteStoredProcedure() is null;

    // Of several entity types in one table (table splitting) one token is enough: EF's own convention gives the others a shadow of it.
    private static bool SharesTableWithToken(IConventionEntityType entityType) =>
        entityType.GetTableName() is { } table
        && entityType.Model.GetEntityTypes().Any(
            other => other != entityType
                && other.GetTableName() == table
                && other.GetSchema() == entityType.GetSchema()
                && other.GetRootType() != entityType.GetRootType()
                && other.GetProperties().Any(p => p.IsConcurrencyToken));

    private static void AddToken(IConventionEntityType entityType)
    {
        var token = entityType.Builder.Property(typeof(uint), WriteProtection.TokenName)?.Metadata;
        if (token is null)
        {
            return;
        }

        token.Builder.IsConcurrencyToken(true);
        token.Builder.ValueGenerated(ValueGenerated.OnAddOrUpdate);
        token.Builder.HasColumnName(WriteProtection.TokenName);
        token.Builder.HasColumnType("xid");
        token.SetBeforeSaveBehavior(PropertySaveBehavior.Ignore);
        token.SetAfterSaveBehavior(PropertySaveBehavior.Ignore);
        token.SetAnnotation(WriteProtection.TokenAnnotation, true);
    }
}
