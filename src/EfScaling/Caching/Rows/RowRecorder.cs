using System.Data.Common;

namespace EfScaling.Caching.Rows;

/// <summary>Records rows while they are read. Not thread-safe.</summary>
/// <remarks>Reads every column of every row by itself: EF skips columns, such as those of an entity that it tracks already.</remarks>
internal sealed class RowRecorder(RowSchema schema, RowLimits limits)
{
    private ColumnRecorder[]? _columns;
    private int[]? _ordinals;
    private long _size;
    private int _width;
    private int _rows;

    /// <summary>Gets whether the result exceeds the limits. What was recorded is dropped.</summary>
    public bool IsOverLimit { get; private set; }

    /// <summary>Records the current row.</summary>
    /// <returns><see langword="false"/> if the result exceeds the limits.</returns>
    /// <exception cref="InvalidCastException">The result is not what the schema says.</exception>
    public bool Add(DbDataReader reader)
    {
        if (IsOverLimit)
        {
            return false;
        }

        if (_columns is null)
        {
            Start(reader);
        }

        if (_rows == limits.MaxRows)
        {
            return Drop();
        }

        var size = _width;
        for (var i = 0; i < _columns!.Length; i++)
        {
            size += _columns[i].Add(reader, _ordinals![i]);
        }

        _rows++;
        _size += size;
        return _size <= limits.MaxBytes || Drop();
    }

    /// <summary>Ends the recording.</summary>
    /// <returns>The rows, or <see langword="null"/> if they exceed the limits or a value would not survive being kept.</returns>
    public RowSet? Complete()
    {
        if (IsOverLimit)
        {
            return null;
        }

        _columns ??= schema.Record();
        var columns = new Column[_columns.Length];
        for (var i = 0; i < columns.Length; i++)
        {
            if (_columns[i].Complete() is not { } column)
            {
                return null;
            }

            columns[i] = column;
        }

        return new RowSet(schema, columns, _rows);
    }

    private void Start(DbDataReader reader)
    {
        _ordinals = schema.Locate(reader)
            ?? throw new InvalidCastException($"The result has {reader.FieldCount} columns, which are not the {schema.Count} of the query.");
        _columns = schema.Record();
        foreach (var column in _columns)
        {
            _width += column.Width;
        }
    }

    private bool Drop()
    {
        IsOverLimit = true;
        _columns = [];
        return false;
    }
}
