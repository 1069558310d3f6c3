namespace EfScaling.Sample.Feed;

/// <summary>A member of the network.</summary>
internal sealed class User
{
    public int Id { get; set; }

    public required string Name { get; set; }
}
