namespace EfScaling.IntegrationTests.Caching;

/// <summary>What is one document in the database.</summary>
public sealed class TypeMatrixDetails
{
    public string? Title { get; set; }

    public decimal Price { get; set; }

    public DateTime At { get; set; }

    public List<int> Numbers { get; set; } = [];
}
