namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <summary>One of several in the JSON of a profile.</summary>
public sealed class Tag
{
    public required string Name { get; set; }

    public int? Weight { get; set; }
}
