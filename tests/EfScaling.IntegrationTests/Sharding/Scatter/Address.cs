namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <summary>Owned, in the columns of its owner.</summary>
public sealed class Address
{
    public required string Street { get; set; }

    public int? Number { get; set; }
}
