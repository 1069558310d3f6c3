// The provider's modification command carries its own handling of JSON and of results; it can only be extended by deriving from it.
#pragma warning disable EF1001

using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Update;
using Npgsql.EntityFrameworkCore.PostgreSQL.Update.Internal;

namespace EfScaling.Replication;

/// <summary>Leaves the check of an added <c>xmin</c> token away for entities that were attached, not read.</summary>
/// <remarks>
/// An entity that was never read has no known <c>xmin</c>, and a check for none would make <c>Update(entity)</c> and <c>Remove(new Post { Id = 1 })</c>
/// fail, which work without EfScaling. They overwrite on purpose, so there is no stale read to protect them from.
/// </remarks>
internal sealed class XminModificationCommandFactory : NpgsqlModificationCommandFactory
{
    /// <inheritdoc />
    public override IModificationCommand CreateModificationCommand(in ModificationCommandParameters modificationCommandParameters) =>
        new XminModificationCommand(modificationCommandParameters);

    private sealed class XminModificationCommand(in ModificationCommandParameters parameters) : NpgsqlModificationCommand(parameters)
    {
        // PostgreSQL's InvalidTransactionId, which no stored row carries.
        private const uint NoTransaction = 0;

        protected override IColumnModification CreateColumnModification(in ColumnModificationParameters columnModificationParameters) =>
            base.CreateColumnModification(
                columnModificationParameters is { Property: { } property, Entry: { } entry } && WriteProtection.IsAddedToken(property)
                    ? columnModificationParameters with
                    {
                        IsCondition = columnModificationParameters.IsCondition && entry.GetOriginalValue(property) is not NoTransaction,

                        // A new row is no stale read, and partitioned tables cannot return the column from an insert.
                        IsRead = columnModificationParameters.IsRead && entry.EntityState != EntityState.Added,
                    }
                    : columnModificationParameters);
    }
}
