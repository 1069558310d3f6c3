namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <summary>A complex type.</summary>
public sealed class Spelling
{
    public string? Text { get; set; }
}
