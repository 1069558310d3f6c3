namespace EfScaling.Benchmarks.Servers;

/// <summary>A row of each of the tables of <see cref="TallyContext"/>.</summary>
public sealed class Tally
{
    public int Id { get; set; }

    public int Number { get; set; }
}
