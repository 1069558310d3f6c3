namespace EfScaling.Caching;

/// <summary>What the database does to referencing rows when the referenced one goes or changes its key.</summary>
internal enum ForeignKeyAction
{
    /// <summary>Nothing, or it refuses.</summary>
    None,

    /// <summary>The same: deletes them, or changes their keys too.</summary>
    Cascade,

    /// <summary>Sets their columns to null or to their defaults.</summary>
    Set,
}
