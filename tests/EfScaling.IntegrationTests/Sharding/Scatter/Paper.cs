namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <summary>The root of a hierarchy with a table for each type.</summary>
public class Paper : Various
{
    public int OwnerId { get; set; }

    public int Id { get; set; }

    public Owner? Owner { get; set; }
}
