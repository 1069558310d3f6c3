namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <summary>What generated queries select, whatever they read: operators can be put one behind another in any order.</summary>
public sealed class Row : Various
{
    /// <summary>Gets or sets the shard key.</summary>
    public int? K { get; set; }

    public int? Id { get; set; }

    public int? N { get; set; }
}
