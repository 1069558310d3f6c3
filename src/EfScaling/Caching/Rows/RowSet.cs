namespace EfScaling.Caching.Rows;

/// <summary>All rows of a result. Immutable and thread-safe; many readers replay it at once.</summary>
internal sealed class RowSet
{
    private readonly Column[] _columns;

    /// <summary>Makes a set of rows.</summary>
    /// <param name="schema">What the columns hold.</param>
    /// <param name="columns">The columns, in the order of the schema. Kept by reference.</param>
    /// <param name="rowCount">How many rows each column has.</param>
    public RowSet(RowSchema schema, Column[] columns, int rowCount)
    {
        (Schema, _columns, RowCount) = (schema, columns, rowCount);
        Size = 64 + (8L * columns.Length);
        foreach (var column in columns)
        {
            Size += column.Size;
        }
    }

    /// <summary>Gets what the columns hold.</summary>
    public RowSchema Schema { get; }

    /// <summary>Gets the number of rows.</summary>
    public int RowCount { get; }

    /// <summary>Gets an estimate of the memory it takes.</summary>
    public long Size { get; }

    /// <summary>Gets the columns, in the order of the schema. Nobody writes to the array.</summary>
    public Column[] Columns => _columns;
}
