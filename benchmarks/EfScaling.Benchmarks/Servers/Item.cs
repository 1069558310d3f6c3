namespace EfScaling.Benchmarks.Servers;

/// <summary>The row that is read: a key and a handful of columns of common types.</summary>
public sealed class Item
{
    public int Id { get; set; }

    public required string Name { get; set; }

    public decimal Price { get; set; }

    public int Stock { get; set; }

    public DateTimeOffset AddedAt { get; set; }
}
