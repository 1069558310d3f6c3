using System.Collections;
using System.Collections.Immutable;
using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Routing.Scatter;

/// <summary>Gives the rows of several shards as those of one result, in their order, one row of each shard at a time in memory.</summary>
/// <remarks>Rows that the order does not tell apart come in the order of the shards. Not thread-safe.</remarks>
internal sealed class MergedDataReader : DbDataReader
{
    private readonly IReadOnlyList<RelationalDataReader> _shards;
    private readonly int _columns;
    private readonly ImmutableArray<MergeKey> _keys;
    private readonly IMergeColumn[] _order;

    // The shards that have a row, the one with the next row at the root: each comes before those at twice its place.
    private readonly int[] _heap;
    private int _count;
    private int _current = -1;
    private bool _isStarted;
    private long _skip;
    private long _left;
    private bool _isClosed;

    /// <param name="shards">The results of the shards, none of whose rows has been read.</param>
    /// <param name="columns">The number of columns to show.</param>
    /// <param name="keys">The order; empty if the rows may come as they come.</param>
    /// <param name="offset">How many rows to leave out.</param>
    /// <param name="limit">How many rows to give then.</param>
    public MergedDataReader(IReadOnlyList<RelationalDataReader> shards, int columns, ImmutableArray<MergeKey> keys, long offset, long limit)
    {
        (_shards, _columns, _keys, _skip, _left) = (shards, columns, keys, offset, limit);
        _order = [.. keys.Select((k, i) => k.Type.ColumnAt(columns + i))];
        _heap = new int[shards.Count];
        Array.ForEach(_order, o => o.Prepare(shards.Count));
    }

    /// <inheritdoc />
    public override int FieldCount => _columns;

    /// <inheritdoc />
    public override int VisibleFieldCount => _columns;

    /// <inheritdoc />
    public override int Depth => 0;

    /// <inheritdoc />
    public override bool HasRows => _shards.Any(s => s.DbDataReader.HasRows);

    /// <inheritdoc />
    public override bool IsClosed => _isClosed;

    /// <inheritdoc />
    public override int RecordsAffected => -1;

    /// <inheritdoc />
    public override object this[int ordinal] => Row.GetValue(ordinal);

    /// <inheritdoc />
    public override object this[string name] => Row.GetValue(GetOrdinal(name));

    private DbDataReader Row => _shards[Math.Max(_current, 0)].DbDataReader;

    /// <inheritdoc />
    public override bool Read()
    {
        while (true)
        {
            if (_isClosed || _left == 0)
            {
                return false;
            }

            if (!_isStarted)
            {
                for (var shard = 0; shard < _shards.Count; shard++)
                {
                    Begin(shard, _shards[shard].Read());
                }

                _isStarted = true;
            }
            else if (_count > 0)
            {
                Next(_shards[_heap[0]].Read());
            }

            if (!Take(out var isWanted))
            {
                return false;
            }

            if (isWanted)
            {
                return true;
            }
        }
    }

    /// <inheritdoc />
    public override Task<bool> ReadAsync(CancellationToken cancellationToken)
    {
        if (_isStarted && _skip == 0 && _left != 0 && _count > 0 && !_isClosed)
        {
            var reading = _shards[_heap[0]].ReadAsync(cancellationToken);
            if (!reading.IsCompletedSuccessfully)
            {
                return ReadSlowlyAsync(reading, cancellationToken);
            }

#pragma warning disable RS0030 // The task has completed: nothing blocks, and most rows need no state machine.
            Next(reading.Result);
#pragma warning restore RS0030
            return Task.FromResult(Take(out _));
        }

        return ReadSlowlyAsync(null, cancellationToken);
    }

    /// <inheritdoc />
    public override bool NextResult() => false;

    /// <inheritdoc />
    public override Task<bool> NextResultAsync(CancellationToken cancellationToken) => Task.FromResult(false);

    /// <inheritdoc />
    public override void Close() => _isClosed = true;

    /// <inheritdoc />
    public override bool GetBoolean(int ordinal) => Row.GetBoolean(ordinal);

    /// <inheritdoc />
    public override byte GetByte(int ordinal) => Row.GetByte(ordinal);

    /// <inheritdoc />
    public override long GetBytes(int ordinal, long dataOffset, byte[]? buffer, int bufferOffset, int length) => Row.GetBytes(ordinal, dataOffset, buffer, bufferOffset, length);

    /// <inheritdoc />
    public override char GetChar(int ordinal) => Row.GetChar(ordinal);

    /// <inheritdoc />
    public override long GetChars(int ordinal, long dataOffset, char[]? buffer, int bufferOffset, int length) => Row.GetChars(ordinal, dataOffset, buffer, bufferOffset, length);

    /// <inheritdoc />
    public override string GetDataTypeName(int ordinal) => Row.GetDataTypeName(ordinal);

    /// <inheritdoc />
    public override DateTime GetDateTime(int ordinal) => Row.GetDateTime(ordinal);

    /// <inheritdoc />
    public override decimal GetDecimal(int ordinal) => Row.GetDecimal(ordinal);

    /// <inheritdoc />
    public override double GetDouble(int ordinal) => Row.GetDouble(ordinal);

    /// <inheritdoc />
    public override IEnumerator GetEnumerator() => new DbEnumerator(this, closeReader: false);

    /// <inheritdoc />
    [return: DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicFields | DynamicallyAccessedMemberTypes.PublicProperties)]
    public override Type GetFieldType(int ordinal) => Row.GetFieldType(ordinal);

    /// <inheritdoc />
    public override T GetFieldValue<T>(int ordinal) => Row.GetFieldValue<T>(ordinal);

    /// <inheritdoc />
    public override Task<T> GetFieldValueAsync<T>(int ordinal, CancellationToken cancellationToken) => Row.GetFieldValueAsync<T>(ordinal, cancellationToken);

    /// <inheritdoc />
    public override float GetFloat(int ordinal) => Row.GetFloat(ordinal);

    /// <inheritdoc />
    public override Guid GetGuid(int ordinal) => Row.GetGuid(ordinal);

    /// <inheritdoc />
    public override short GetInt16(int ordinal) => Row.GetInt16(ordinal);

    /// <inheritdoc />
    public override int GetInt32(int ordinal) => Row.GetInt32(ordinal);

    /// <inheritdoc />
    public override long GetInt64(int ordinal) => Row.GetInt64(ordinal);

    /// <inheritdoc />
    public override string GetName(int ordinal) => Row.GetName(ordinal);

    /// <inheritdoc />
    public override int GetOrdinal(string name) => Row.GetOrdinal(name);

    /// <inheritdoc />
    public override Stream GetStream(int ordinal) => Row.GetStream(ordinal);

    /// <inheritdoc />
    public override string GetString(int ordinal) => Row.GetString(ordinal);

    /// <inheritdoc />
    public override TextReader GetTextReader(int ordinal) => Row.GetTextReader(ordinal);

    /// <inheritdoc />
    public override object GetValue(int ordinal) => Row.GetValue(ordinal);

    /// <inheritdoc />
    public override int GetValues(object[] values)
    {
        ArgumentNullException.ThrowIfNull(values);
        var count = Math.Min(values.Length, _columns);
        for (var i = 0; i < count; i++)
        {
            values[i] = Row.GetValue(i);
        }

        return count;
    }

    /// <inheritdoc />
    public override bool IsDBNull(int ordinal) => Row.IsDBNull(ordinal);

    /// <inheritdoc />
    public override Task<bool> IsDBNullAsync(int ordinal, CancellationToken cancellationToken) => Row.IsDBNullAsync(ordinal, cancellationToken);

    private async Task<bool> ReadSlowlyAsync(Task<bool>? reading, CancellationToken cancellationToken)
    {
        while (true)
        {
            if (_isClosed || _left == 0)
            {
                return false;
            }

            if (!_isStarted)
            {
                for (var shard = 0; shard < _shards.Count; shard++)
                {
                    Begin(shard, await _shards[shard].ReadAsync(cancellationToken).ConfigureAwait(false));
                }

                _isStarted = true;
            }
            else if (_count > 0)
            {
                Next(await (reading ?? _shards[_heap[0]].ReadAsync(cancellationToken)).ConfigureAwait(false));
            }

            reading = null;
            if (!Take(out var isWanted))
            {
                return false;
            }

            if (isWanted)
            {
                return true;
            }
        }
    }

    private void Begin(int shard, bool hasRow)
    {
        if (!hasRow)
        {
            return;
        }

        ReadKeys(shard);
        var place = _count++;
        while (place > 0 && Precedes(shard, _heap[(place - 1) / 2]))
        {
            _heap[place] = _heap[(place - 1) / 2];
            place = (place - 1) / 2;
        }

        _heap[place] = shard;
    }

    // The shard at the root has moved on.
    private void Next(bool hasRow)
    {
        var shard = _heap[0];
        if (hasRow)
        {
            if (_order.Length == 0)
            {
                return;
            }

            ReadKeys(shard);
        }
        else if (--_count == 0)
        {
            return;
        }
        else
        {
            shard = _heap[_count];
        }

        var place = 0;
        while (true)
        {
            var child = (2 * place) + 1;
            if (child >= _count)
            {
                break;
            }

            if (child + 1 < _count && Precedes(_heap[child + 1], _heap[child]))
            {
                child++;
            }

            if (!Precedes(_heap[child], shard))
            {
                break;
            }

            _heap[place] = _heap[child];
            place = child;
        }

        _heap[place] = shard;
    }

    private bool Take(out bool isWanted)
    {
        isWanted = false;
        if (_count == 0)
        {
            return false;
        }

        _current = _heap[0];
        if (_skip > 0)
        {
            _skip--;
            return true;
        }

        isWanted = true;
        _left--;
        return true;
    }

    private void ReadKeys(int shard)
    {
        foreach (var column in _order)
        {
            column.Read(_shards[shard].DbDataReader, shard);
        }
    }

    private bool Precedes(int shard, int other)
    {
        for (var i = 0; i < _order.Length; i++)
        {
            if (_order[i].Compare(shard, other) is not 0 and var order)
            {
                return _keys[i].IsDescending ? order > 0 : order < 0;
            }
        }

        return shard < other;
    }
}
