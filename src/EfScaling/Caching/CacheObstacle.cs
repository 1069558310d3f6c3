namespace EfScaling.Caching;

/// <summary>Why the result of a query must not be cached.</summary>
internal enum CacheObstacle
{
    /// <summary>SQL of the application, which does not tell what it reads. Lifted by declared dependencies.</summary>
    RawSql,

    /// <summary>A function of the application, which may read tables. Lifted by declared dependencies.</summary>
    ApplicationFunction,

    /// <summary>SQL of the application that writes, locks rows or returns them from a write.</summary>
    WritingSql,

    /// <summary>The command writes.</summary>
    Write,

    /// <summary>A function whose value depends on time or chance, or counts its calls.</summary>
    VolatileFunction,

    /// <summary>The value depends on a setting of the session that is no part of the cache's scope.</summary>
    SessionState,

    /// <summary>A built-in function or operator of which it is not known what its value depends on.</summary>
    UnknownFunction,

    /// <summary>A part of the query whose kind is not known.</summary>
    UnknownExpression,

    /// <summary>A column whose type EF does not tell.</summary>
    UnmappedType,

    /// <summary>A table of the system.</summary>
    SystemCatalog,

    /// <summary>A system column that changes without a write, such as <c>ctid</c>.</summary>
    SystemColumn,

    /// <summary>A table that the catalog does not list: temporary, newer than the catalog, or out of sight for the role.</summary>
    UnknownTable,

    /// <summary>A table whose rows live on another server.</summary>
    ForeignTable,
}
