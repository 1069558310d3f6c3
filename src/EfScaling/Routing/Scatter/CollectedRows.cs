using System.Data.Common;
using NpgsqlTypes;

namespace EfScaling.Routing.Scatter;

/// <summary>The rows that a step has collected from its shards, as texts.</summary>
/// <remarks>Not thread-safe.</remarks>
/// <param name="columns">How many columns they have; a query that asks only for existence shows one more, which nobody reads.</param>
internal sealed class CollectedRows(int columns)
{
    private readonly List<int> _shards = [];
    private readonly List<string?>[] _columns = [.. Enumerable.Range(0, columns).Select(_ => new List<string?>())];

    /// <summary>Gets how many there are.</summary>
    public int Count => _shards.Count;

    /// <summary>Adds the present row of a shard.</summary>
    /// <returns>How many bytes it takes.</returns>
    public long Add(DbDataReader row, int shard)
    {
        long bytes = sizeof(int);
        for (var i = 0; i < _columns.Length; i++)
        {
            var value = row.IsDBNull(i) ? null : row.GetString(i);
            _columns[i].Add(value);
            bytes += IntPtr.Size + (sizeof(char) * (value?.Length ?? 0));
        }

        _shards.Add(shard);
        return bytes;
    }

    /// <summary>Makes the parameters of the commands that use the rows.</summary>
    /// <param name="number">The number of the step.</param>
    public IEnumerable<(string Name, object Value, NpgsqlDbType Type)> Parameters(int number)
    {
        for (var i = 0; i < _columns.Length; i++)
        {
            yield return (IntermediateResult.Parameter(number, i), _columns[i].ToArray(), NpgsqlDbType.Array | NpgsqlDbType.Text);
        }

        yield return (IntermediateResult.ShardParameter(number), _shards.ToArray(), NpgsqlDbType.Array | NpgsqlDbType.Integer);
    }
}
