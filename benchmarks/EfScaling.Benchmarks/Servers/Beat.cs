namespace EfScaling.Benchmarks.Servers;

/// <summary>The one row that a writer changes all the time; its number tells when it was written.</summary>
public sealed class Beat
{
    public int Id { get; set; }

    public long Number { get; set; }
}
