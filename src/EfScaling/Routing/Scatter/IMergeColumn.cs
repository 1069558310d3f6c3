using System.Data.Common;

namespace EfScaling.Routing.Scatter;

/// <summary>Keeps the present value of each shard in one column of the order.</summary>
internal interface IMergeColumn
{
    /// <summary>Makes room for shards.</summary>
    void Prepare(int shards);

    /// <summary>Reads the value of a shard's present row.</summary>
    void Read(DbDataReader row, int shard);

    /// <summary>Compares the values of two shards; nulls are greater than all values.</summary>
    int Compare(int shard, int other);
}
