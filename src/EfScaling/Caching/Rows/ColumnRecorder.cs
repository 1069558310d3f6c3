using System.Data.Common;

namespace EfScaling.Caching.Rows;

/// <summary>Collects the values of one column. Not thread-safe.</summary>
internal abstract class ColumnRecorder
{
    /// <summary>Gets the memory of one value's place.</summary>
    public abstract int Width { get; }

    /// <summary>Records the value of the current row.</summary>
    /// <returns>The memory that the value takes beside its place.</returns>
    public abstract int Add(DbDataReader reader, int ordinal);

    /// <summary>Makes the column of what was recorded.</summary>
    /// <returns><see langword="null"/> if a value would not survive.</returns>
    public abstract Column? Complete();
}
