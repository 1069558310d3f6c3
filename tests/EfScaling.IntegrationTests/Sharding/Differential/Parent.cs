namespace EfScaling.IntegrationTests.Sharding.Differential;

/// <summary>A row that others belong to; the same shape for each strategy, so that one query serves all.</summary>
/// <typeparam name="TStrategy">How its key finds a shard.</typeparam>
public sealed class Parent<TStrategy>
{
    public required string Region { get; set; }

    public int Key { get; set; }

    public int? Other { get; set; }

    public required string Name { get; set; }

    public int Amount { get; set; }

    public List<Child<TStrategy>> Children { get; } = [];
}
