using EfScaling.Routing;
using EfScaling.Tests.Models;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace EfScaling.Tests.Routing;

public sealed class ReadReplicaDbContextFactoryTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Is_registered_with_its_options(bool isPooled)
    {
        using var services = new ServiceCollection().AddReadReplicaDbContextFactory<ShopContext>((_, o) => Configure(o), isPooled).BuildServiceProvider();

        AssertCreates(services);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Is_registered_over_a_factory_that_exists(bool isPooled)
    {
        var collection = new ServiceCollection();
        _ = isPooled ? collection.AddPooledDbContextFactory<ShopContext>(Configure) : collection.AddDbContextFactory<ShopContext>(Configure);
        using var services = collection.AddReadReplicaDbContextFactory<ShopContext>().BuildServiceProvider();

        AssertCreates(services);
    }

    [Fact]
    public void A_pooled_context_forgets_that_it_was_created_for_reading_only()
    {
        using var services = new ServiceCollection().AddReadReplicaDbContextFactory<ShopContext>((_, o) => Configure(o)).BuildServiceProvider();
        var factory = services.GetRequiredService<ReadReplicaDbContextFactory<ShopContext>>();
        factory.CreateReadOnlyDbContext().Dispose();

        using var context = factory.CreateDbContext();

        Assert.Equal(QueryTrackingBehavior.TrackAll, context.ChangeTracker.QueryTrackingBehavior);
        Assert.Equal(0, context.SaveChanges());
    }

    [Fact]
    public void Without_a_factory_says_what_to_call()
    {
        var exception = Assert.Throws<InvalidOperationException>(() => new ServiceCollection().AddReadReplicaDbContextFactory<ShopContext>());

        Assert.Contains("AddDbContextFactory<ShopContext>", exception.Message, StringComparison.Ordinal);
    }

    private static void AssertCreates(ServiceProvider services)
    {
        var factory = services.GetRequiredService<ReadReplicaDbContextFactory<ShopContext>>();
        using var readOnly = factory.CreateReadOnlyDbContext();
        using var context = factory.CreateDbContext();

        Assert.Same(factory, services.GetRequiredService<IDbContextFactory<ShopContext>>());
        Assert.Throws<InvalidOperationException>(() => readOnly.SaveChanges());
        Assert.Equal(0, context.SaveChanges());
    }

    private static void Configure(DbContextOptionsBuilder options) => options.UseNpgsql(ShopContext.Primary).UseReadReplicas(r => r.AddReplica(ShopContext.Replica));
}
