namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <inheritdoc />
public sealed class Letter : Paper
{
    public string? Recipient { get; set; }
}
