namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <summary>A row that lives with its item and owner.</summary>
public sealed class Part : Various
{
    public int OwnerId { get; set; }

    public int ItemId { get; set; }

    public int Number { get; set; }

    public int Quantity { get; set; }

    public decimal Price { get; set; }

    public Item? Item { get; set; }
}
