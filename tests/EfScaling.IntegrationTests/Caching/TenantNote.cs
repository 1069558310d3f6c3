namespace EfScaling.IntegrationTests.Caching;

/// <summary>A note of a tenant.</summary>
public sealed class TenantNote
{
    public int Id { get; set; }

    public int Tenant { get; set; }

    public required string Text { get; set; }
}
