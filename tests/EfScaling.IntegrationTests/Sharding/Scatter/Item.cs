namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <summary>A row that lives with its owner.</summary>
public sealed class Item : Various
{
    public int OwnerId { get; set; }

    public int Id { get; set; }

    public int? ColourId { get; set; }

    public Owner? Owner { get; set; }

    public Colour? Colour { get; set; }

    public List<Part> Parts { get; } = [];
}
