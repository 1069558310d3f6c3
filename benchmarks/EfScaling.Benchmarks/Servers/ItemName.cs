namespace EfScaling.Benchmarks.Servers;

/// <summary>What a projection reads of an <see cref="Item"/>; it never contains the concurrency token.</summary>
public sealed record ItemName(int Id, string Name, decimal Price, int Stock, DateTimeOffset AddedAt);
