namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <inheritdoc />
public sealed class Cat : Animal
{
    public int? Lives { get; set; }
}
