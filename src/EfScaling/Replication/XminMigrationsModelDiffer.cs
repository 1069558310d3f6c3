using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.EntityFrameworkCore.Migrations.Operations;

namespace EfScaling.Replication;

/// <summary>Keeps the system column <c>xmin</c> out of migrations, so that <c>Migrate()</c> finds no pending change and no snapshot names it.</summary>
internal sealed class XminMigrationsModelDiffer(IMigrationsModelDiffer inner) : IMigrationsModelDiffer
{
    /// <inheritdoc />
    public bool HasDifferences(IRelationalModel? source, IRelationalModel? target) => GetDifferences(source, target).Count > 0;

    /// <inheritdoc />
    public IReadOnlyList<MigrationOperation> GetDifferences(IRelationalModel? source, IRelationalModel? target)
    {
        var operations = inner.GetDifferences(source, target).Where(o => !IsSystemColumn(o)).ToList();
        foreach (var createTable in operations.OfType<CreateTableOperation>())
        {
            createTable.Columns.RemoveAll(IsSystemColumn);
        }

        return operations;
    }

    // PostgreSQL lets no table have a column of that name, so every operation on it is about the system column.
    private static bool IsSystemColumn(MigrationOperation operation) => operation switch
    {
        ColumnOperation column => column.Name == WriteProtection.TokenName,
        DropColumnOperation column => column.Name == WriteProtection.TokenName,
        _ => false,
    };
}
