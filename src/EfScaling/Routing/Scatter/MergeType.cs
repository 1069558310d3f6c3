// How a buffered column is described is new in EF 9 and still marked as open to change; there is no other way to buffer a column that no property has.
#pragma warning disable EF9100

using System.Collections.Concurrent;
using System.Data.Common;
using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore.Query;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Routing.Scatter;

/// <summary>A type of the database whose order is known.</summary>
/// <param name="cast">The type, as SQL, in which values are sent by which rows are merged.</param>
/// <remarks>Immutable and thread-safe.</remarks>
internal abstract class MergeType(string cast)
{
    /// <summary>Gets the type in which values are sent. A cast asks its mapping for the name alone.</summary>
    public RelationalTypeMapping Mapping { get; } = new StringTypeMapping(cast, dbType: null);

    /// <summary>Returns what compares the values in a column.</summary>
    public abstract IMergeColumn ColumnAt(int ordinal);

    /// <summary>Returns how EF buffers the values in a column.</summary>
    public abstract ReaderColumn BufferedAt(int ordinal);
}

/// <inheritdoc />
/// <typeparam name="T">The type in which values are compared.</typeparam>
/// <param name="cast">The type, as SQL, in which values are sent.</param>
/// <param name="compare">Compares two values.</param>
internal sealed class MergeType<T>(string cast, Comparison<T> compare) : MergeType(cast)
{
    // EF compiles what reads a column.
    private readonly ConcurrentDictionary<int, ReaderColumn> _buffered = [];

    /// <inheritdoc />
    public override IMergeColumn ColumnAt(int ordinal) => new MergeColumn<T>(ordinal, compare);

    /// <inheritdoc />
    public override ReaderColumn BufferedAt(int ordinal) => _buffered.GetOrAdd(ordinal, static ordinal =>
    {
        // EF keeps what is no value type as objects.
        if (!typeof(T).IsValueType)
        {
            Expression<Func<DbDataReader, int[], object>> readObject = (row, _) => row.GetFieldValue<T>(ordinal)!;
            return ReaderColumn.Create(typeof(object), true, null, null, readObject);
        }

        Expression<Func<DbDataReader, int[], T>> read = (row, _) => row.GetFieldValue<T>(ordinal);
        return ReaderColumn.Create(typeof(T), true, null, null, read);
    });
}
