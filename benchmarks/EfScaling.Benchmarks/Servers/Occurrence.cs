namespace EfScaling.Benchmarks.Servers;

/// <summary>A row of the tables that queries over several shards read.</summary>
public sealed class Occurrence
{
    public int Owner { get; set; }

    public long Id { get; set; }

    public DateTime At { get; set; }

    public int Value { get; set; }
}
