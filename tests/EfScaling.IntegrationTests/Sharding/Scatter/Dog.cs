namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <inheritdoc />
public sealed class Dog : Animal
{
    public string? Breed { get; set; }
}
