namespace EfScaling.Caching;

/// <summary>What a statement does to the rows of a table.</summary>
internal enum WriteKind
{
    /// <summary>Adds rows.</summary>
    Insert,

    /// <summary>Changes rows.</summary>
    Update,

    /// <summary>Removes rows.</summary>
    Delete,
}
