namespace EfScaling.IntegrationTests.Sharding.Differential;

/// <summary>A row that every shard has.</summary>
public sealed class Colour
{
    public int Id { get; set; }

    public required string Name { get; set; }
}
