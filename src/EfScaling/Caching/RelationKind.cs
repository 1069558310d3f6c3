namespace EfScaling.Caching;

/// <summary>What a name in <c>pg_class</c> stands for.</summary>
internal enum RelationKind
{
    /// <summary>A table with rows of its own, logged or not.</summary>
    Table,

    /// <summary>A table whose rows are in its partitions.</summary>
    PartitionedTable,

    /// <summary>A view, which shows the rows of others.</summary>
    View,

    /// <summary>A view that keeps its rows until it is refreshed.</summary>
    MaterializedView,

    /// <summary>A table whose rows live elsewhere.</summary>
    ForeignTable,

    /// <summary>Anything else that a query could name, such as a sequence.</summary>
    Other,
}
