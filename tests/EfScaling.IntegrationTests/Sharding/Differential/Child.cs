namespace EfScaling.IntegrationTests.Sharding.Differential;

/// <summary>A row that belongs to another one and lives on its shard.</summary>
/// <typeparam name="TStrategy">How its key finds a shard.</typeparam>
public sealed class Child<TStrategy>
{
    public required string Region { get; set; }

    public int Key { get; set; }

    public int Number { get; set; }

    public int? Value { get; set; }

    public int ColourId { get; set; }

    public Colour? Colour { get; set; }

    public Parent<TStrategy>? Parent { get; set; }
}
