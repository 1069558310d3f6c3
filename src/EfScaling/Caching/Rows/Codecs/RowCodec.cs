namespace EfScaling.Caching.Rows.Codecs;

/// <summary>Knows how the values of one type are recorded, kept, written and read. Thread-safe.</summary>
internal abstract class RowCodec
{
    /// <summary>Gets the type of the values: never <see cref="Nullable{T}"/> for a column.</summary>
    public abstract Type ValueType { get; }

    /// <summary>Writes what tells this format apart from all others.</summary>
    public abstract void Describe(PayloadWriter writer);

    /// <summary>Starts to record a column.</summary>
    public abstract ColumnRecorder Record();

    /// <summary>Reads a column that <see cref="Column.Write"/> wrote.</summary>
    /// <returns><see langword="null"/> if the payload is damaged.</returns>
    public abstract Column? Read(ref PayloadReader reader, int rows);

    /// <summary>Makes the codec of arrays of the values.</summary>
    public abstract RowCodec OfArray();

    /// <summary>Makes the codec of lists of the values.</summary>
    public abstract RowCodec OfList();

    /// <summary>Makes the codec of ranges over the values.</summary>
    public abstract RowCodec OfRange();
}
