using EfScaling.Caching;

namespace EfScaling.Routing;

/// <summary>The time in which the application's SQL writes certain tables only.</summary>
internal sealed class WrittenTablesScope(ContextWrites owner, WrittenTablesScope? outer, IReadOnlyList<TableName> tables) : IDisposable
{
    /// <summary>Gets the scope around this one.</summary>
    public WrittenTablesScope? Outer => outer;

    /// <summary>Gets the tables.</summary>
    public IReadOnlyList<TableName> Tables => tables;

    /// <inheritdoc />
    public void Dispose() => owner.Leave(this);
}
