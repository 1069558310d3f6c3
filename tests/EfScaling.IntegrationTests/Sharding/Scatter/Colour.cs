namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <summary>A row that every shard has.</summary>
public sealed class Colour : Various
{
    public int Id { get; set; }
}
