namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <summary>The root of a hierarchy in one table.</summary>
public class Animal : Various
{
    public int OwnerId { get; set; }

    public int Id { get; set; }

    public Owner? Owner { get; set; }
}
