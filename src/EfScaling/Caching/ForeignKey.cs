namespace EfScaling.Caching;

/// <summary>A foreign key, by what the database does on its own to keep it.</summary>
/// <param name="From">The table that references.</param>
/// <param name="To">The table that is referenced.</param>
/// <param name="OnDelete">What happens to the referencing rows when the referenced one is deleted.</param>
/// <param name="OnUpdate">What happens to them when its key changes.</param>
internal sealed record ForeignKey(TableName From, TableName To, ForeignKeyAction OnDelete, ForeignKeyAction OnUpdate);
