namespace EfScaling.Caching.Rows;

/// <summary>How the recording of a result ended.</summary>
internal enum RecordingEnd
{
    /// <summary>All rows were recorded.</summary>
    Complete,

    /// <summary>The result exceeds the limits.</summary>
    TooLarge,

    /// <summary>The caller stopped reading, and more rows were left than are read on its behalf.</summary>
    Abandoned,

    /// <summary>The database failed while rows were read.</summary>
    Failed,

    /// <summary>A value cannot be read or kept as its column promises. The query is not worth another attempt.</summary>
    Unreadable,
}
