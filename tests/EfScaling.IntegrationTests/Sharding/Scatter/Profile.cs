namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <summary>Owned, as JSON in a column of its owner.</summary>
public sealed class Profile
{
    public string? Nick { get; set; }

    public int? Level { get; set; }

    public decimal Rate { get; set; }

    public List<Tag> Tags { get; } = [];
}
