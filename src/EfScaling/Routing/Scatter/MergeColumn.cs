using System.Data.Common;

namespace EfScaling.Routing.Scatter;

/// <inheritdoc cref="IMergeColumn" />
internal sealed class MergeColumn<T>(int ordinal, Comparison<T> compare) : IMergeColumn
{
    private T[] _values = [];
    private bool[] _nulls = [];

    /// <inheritdoc />
    public void Prepare(int shards) => (_values, _nulls) = (new T[shards], new bool[shards]);

    /// <inheritdoc />
    public void Read(DbDataReader row, int shard)
    {
        _nulls[shard] = row.IsDBNull(ordinal);
        _values[shard] = _nulls[shard] ? default! : row.GetFieldValue<T>(ordinal);
    }

    /// <inheritdoc />
    public int Compare(int shard, int other) =>
        _nulls[shard] ? (_nulls[other] ? 0 : 1)
        : _nulls[other] ? -1
        : compare(_values[shard], _values[other]);
}
