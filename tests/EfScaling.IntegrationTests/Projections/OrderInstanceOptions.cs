using EfScaling.Caching.Redis;
using EfScaling.Projections;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace EfScaling.IntegrationTests.Projections;

/// <summary>What differs between instances of the application.</summary>
internal sealed class OrderInstanceOptions
{
    public Func<OrderContext, int, CancellationToken, Task<OrderView?>> Build { get; set; } = OrderContext.BuildAsync;

    public Action<ProjectionBuilder<OrderContext, OrderView>> Settings { get; set; } = _ => { };

    public Func<IServiceProvider, IProjectionStore<OrderView>>? Store { get; set; }

    public bool IntoDocuments { get; set; }

    public RedisOptions? Redis { get; set; }

    public Action<DbContextOptionsBuilder> Context { get; set; } = _ => { };

    public Action<IServiceCollection> Services { get; set; } = _ => { };

    public bool Retries { get; set; }
}
