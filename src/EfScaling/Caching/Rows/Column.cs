namespace EfScaling.Caching.Rows;

/// <summary>The recorded values of one column. Immutable and thread-safe.</summary>
/// <param name="nulls">Which are null, as <see cref="Rows.Nulls"/> tells.</param>
internal abstract class Column(ulong[]? nulls)
{
    /// <summary>Gets which values are null.</summary>
    public ulong[]? Nulls => nulls;

    /// <summary>Gets an estimate of the memory it takes.</summary>
    public abstract long Size { get; }

    /// <summary>Gets whether the value of a row is null.</summary>
    public bool IsNull(int row) => Rows.Nulls.Contains(nulls, row);

    /// <summary>Gets the value of a row, which is not null, as an object of the caller's own.</summary>
    public abstract object GetBoxed(int row);

    /// <summary>Writes the column so that its codec reads it.</summary>
    public abstract void Write(PayloadWriter writer);
}
