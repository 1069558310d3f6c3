namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <summary>A row of the default shard.</summary>
public sealed class Setting : Various
{
    public int Id { get; set; }
}
