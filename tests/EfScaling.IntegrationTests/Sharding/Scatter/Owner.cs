namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <summary>The root of what lives together.</summary>
public sealed class Owner : Various
{
    public int Id { get; set; }

    public int? ColourId { get; set; }

    public required Address Address { get; set; }

    public required Profile Profile { get; set; }

    public Colour? Colour { get; set; }

    public List<Item> Items { get; } = [];

    public List<Animal> Animals { get; } = [];

    public List<Paper> Papers { get; } = [];
}
