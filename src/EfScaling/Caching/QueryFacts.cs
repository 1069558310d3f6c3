using EfScaling.Caching.Rows;

namespace EfScaling.Caching;

/// <summary>What the final SQL tree of a command tells: which tables it names, the columns of its result, and whether the result may be cached at all.</summary>
internal sealed record QueryFacts
{
    /// <summary>Gets the tables and views that the tree names; distinct and sorted. Without those inside the application's SQL.</summary>
    public required IReadOnlyList<TableName> Tables { get; init; }

    /// <summary>Gets the columns of the result in the order of the projection. Empty for a command that writes.</summary>
    public required IReadOnlyList<RowColumn> Columns { get; init; }

    /// <summary>Gets the weightiest reason not to cache the result; <see langword="null"/> if nothing in the tree speaks against it.</summary>
    /// <value>One that declared dependencies lift only if there is no other.</value>
    public required CacheRefusal? Obstacle { get; init; }

    /// <summary>Gets whether EF finds the columns in the result by name, in whatever order the application's SQL returns them.</summary>
    public required bool AreColumnsFoundByName { get; init; }

    /// <summary>Gets whether the command calls or holds what nobody knows not to write.</summary>
    public required bool MayWriteUnseen { get; init; }

    /// <summary>Gets what the command writes; <see langword="null"/> for a query.</summary>
    public required WriteFacts? Write { get; init; }
}
