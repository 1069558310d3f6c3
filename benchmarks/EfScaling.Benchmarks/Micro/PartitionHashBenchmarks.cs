using BenchmarkDotNet.Attributes;
using EfScaling.Sharding;

namespace EfScaling.Benchmarks.Micro;

/// <summary>What it costs to hash a key, and to find its shard from the value: no more than 30 ns for int8, 60 ns for uuid and 100 ns for a text of 20 characters.</summary>
[MemoryDiagnoser]
public class PartitionHashBenchmarks
{
    private static readonly string[] _shards = ["s0", "s1", "s2", "s3"];

    private readonly Guid _guid = new("01234567-89ab-cdef-0123-456789abcdef");
    private readonly string _text = "user-0123456789abcde";
    private readonly HashShardMap _hash = new(_shards);
    private readonly RingShardMap _ring = new(_shards);
    private readonly ShardedIdGenerator _ids = new(number: 0);
    private long _number;

    [Benchmark]
    public ulong HashOfBigint() => PartitionHash.Of(_number++);

    [Benchmark]
    public ulong HashOfUuid() => PartitionHash.Of(_guid);

    [Benchmark]
    public ulong HashOfText() => PartitionHash.Of(_text.AsSpan());

    [Benchmark]
    public string ShardOfBigint() => _hash.ShardOf(ShardKey.Of(_number++));

    [Benchmark]
    public string ShardOfUuid() => _hash.ShardOf(ShardKey.Of(_guid));

    [Benchmark]
    public string ShardOfText() => _hash.ShardOf(ShardKey.Of(_text));

    [Benchmark]
    public string ShardOnRing() => _ring.ShardOf(ShardKey.Of(_number++));

    [Benchmark]
    public long NextId() => _ids.Next((int)(_number++ & 1_023));
}
