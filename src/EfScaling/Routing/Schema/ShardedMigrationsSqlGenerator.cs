using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.EntityFrameworkCore.Migrations.Operations;

namespace EfScaling.Routing.Schema;

/// <summary>Inserts the rows of <c>HasData</c> and <c>InsertData</c> only on the shard that they belong to.</summary>
/// <param name="inner">Generates the SQL.</param>
/// <param name="shards">Tells the shard of the context, which is bound to it, and where rows belong; found when it is first needed.</param>
/// <remarks>Updates and deletions name the primary key, by which no other shard has a row, and so change nothing where their rows are not.</remarks>
internal sealed class ShardedMigrationsSqlGenerator(IMigrationsSqlGenerator inner, Func<ContextShards> shards) : IMigrationsSqlGenerator
{
    /// <inheritdoc />
    public IReadOnlyList<MigrationCommand> Generate(
        IReadOnlyList<MigrationOperation> operations, IModel? model = null, MigrationsSqlGenerationOptions options = MigrationsSqlGenerationOptions.Default) =>
        inner.Generate([.. operations.Select(o => OwnPart(o, model)).OfType<MigrationOperation>()], model, options);

    private MigrationOperation? OwnPart(MigrationOperation operation, IModel? model)
    {
        if (operation is UpdateDataOperation update)
        {
            RefuseChangedKey(update, model);
        }

        return operation is InsertDataOperation insert ? OwnRows(insert, model) : operation;
    }

    // As everywhere: a row with another key may belong to another shard.
    private void RefuseChangedKey(UpdateDataOperation update, IModel? model)
    {
        if ((shards().Database.Model.Find(update.Schema, update.Table) ?? TableIn(model, update.Schema, update.Table))?.Key.FirstOrDefault(k => update.Columns.Contains(k.Name)) is { } key)
        {
            throw new InvalidOperationException(
                $"A migration changes the shard key '{key.Name}' of rows of '{update.Table}', and rows with another key may belong to another shard. Delete the rows by DeleteData(...) and insert them with the new key, or give the data in HasData(...) another primary key.");
        }
    }

    private InsertDataOperation? OwnRows(InsertDataOperation insert, IModel? model)
    {
        var own = shards().Own;
        var database = shards().Database;
        var (placement, map, key, ids) = PlacementOf(insert, model, database);
        if (placement == TablePlacement.Reference)
        {
            return insert;
        }

        if (placement == TablePlacement.DefaultShard)
        {
            return own == database.DefaultShard ? insert : null;
        }

        if (key.Length == 0 && ids.Length > 0)
        {
            return WithRowsOf(insert, row => ShardOf(insert, row, ids[0], database.Picture.Maps[map]) == own);
        }

        var columns = Array.ConvertAll(key, k => (Index: Array.IndexOf(insert.Columns, k.Name), k.Type));
        if (columns.Any(c => c.Index < 0))
        {
            throw new InvalidOperationException(
                $"A migration inserts rows into '{insert.Table}' without their shard key '{string.Join(", ", key.Select(k => k.Name))}', so that no shard is theirs. Name the column in InsertData(...).");
        }

        return WithRowsOf(insert, row => database.Picture.Maps[map].ShardOf(KeyOf(insert, row, columns)) == own);
    }

    private static InsertDataOperation? WithRowsOf(InsertDataOperation insert, Func<int, bool> isOwn)
    {
        int[] rows = [.. Enumerable.Range(0, insert.Values.GetLength(0)).Where(isOwn)];
        return rows.Length == 0 ? null : WithRows(insert, rows);
    }

    // A row without a shard key of its own lives where its id says.
    private static string ShardOf(InsertDataOperation insert, int row, string id, ShardMap map) =>
        Array.IndexOf(insert.Columns, id) is >= 0 and var column
        && insert.Values[row, column] is long and >= 0 and var value
        && ShardedId.BucketOf(value) < map.BucketCount
        && map.ShardsOfBucket(ShardedId.BucketOf(value)) is [var shard]
            ? shard
            : throw new InvalidOperationException(
                $"A migration inserts rows into '{insert.Table}' whose '{id}' does not tell the one shard that is theirs. Set it to the id of the row that they belong to.");

    private static ShardKey KeyOf(InsertDataOperation insert, int row, (int Index, ShardKeyType Type)[] columns) =>
        ShardKey.Composite(Array.ConvertAll(columns, c => ShardKey.FromValue(insert.Values[row, c.Index], c.Type)));

    private static InsertDataOperation WithRows(InsertDataOperation insert, int[] rows)
    {
        var values = new object?[rows.Length, insert.Columns.Length];
        for (var row = 0; row < rows.Length; row++)
        {
            for (var column = 0; column < insert.Columns.Length; column++)
            {
                values[row, column] = insert.Values[rows[row], column];
            }
        }

        var some = new InsertDataOperation { Schema = insert.Schema, Table = insert.Table, Columns = insert.Columns, ColumnTypes = insert.ColumnTypes, Values = values };
        some.AddAnnotations(insert.GetAnnotations());
        return some;
    }

    // As the application's model says; for tables that it has no more, as the model of the migration does.
    private static (TablePlacement Placement, string Map, (string Name, ShardKeyType Type)[] Key, string[] Ids) PlacementOf(InsertDataOperation insert, IModel? model, ShardedDatabase database)
    {
        if (insert[EntityPlacement.PlacementAnnotation] is TablePlacement.Reference or TablePlacement.DefaultShard)
        {
            return ((TablePlacement)insert[EntityPlacement.PlacementAnnotation]!, string.Empty, [], []);
        }

        if ((database.Model.Find(insert.Schema, insert.Table) ?? TableIn(model, insert.Schema, insert.Table)) is { } table)
        {
            return (table.Placement, table.Map, [.. table.Key.Select(c => (c.Name, c.Type))], [.. table.Ids.Select(c => c.Name)]);
        }

        throw new InvalidOperationException(
            $"A migration inserts rows into '{insert.Table}', which the model does not have, so that nothing says on which shards they belong. Say it where the migration inserts them: InsertData(...).Annotation(\"{EntityPlacement.PlacementAnnotation}\", TablePlacement.Reference), or TablePlacement.DefaultShard.");
    }

    private static ShardedTable? TableIn(IModel? model, string? schema, string name) =>
        model is not null
        && model.GetEntityTypes().Any(e => e.GetTableName() == name && e.GetSchema() == schema && e.GetRootType()[EntityPlacement.PlacementAnnotation] is not null)
            ? ShardedModel.Of(model).Find(schema, name)
            : null;
}
