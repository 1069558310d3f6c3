namespace EfScaling.Replication.ChangeStream;

/// <summary>A table that a transaction changed, by the names it has in the database.</summary>
/// <param name="Schema">Name of the schema, without quotes.</param>
/// <param name="Name">Name of the table, without quotes.</param>
internal readonly record struct ChangedTable(string Schema, string Name)
{
    /// <inheritdoc />
    public override string ToString() => $"{Schema}.{Name}";
}
