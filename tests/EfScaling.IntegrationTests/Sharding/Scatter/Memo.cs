namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <inheritdoc />
public sealed class Memo : Paper
{
    public int? Lines { get; set; }
}
