using EfScaling.IntegrationTests.Clusters;
using EfScaling.Projections;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EfScaling.IntegrationTests.Projections;

/// <summary>One instance of the application: its services, and the dispatcher once it is started.</summary>
internal sealed class OrderInstance : IAsyncDisposable
{
    private static readonly TimeSpan _deadline = TimeSpan.FromSeconds(30);

    private readonly ServiceProvider _services;
    private bool _isRunning;

    public OrderInstance(OrderDatabase database, OrderInstanceOptions options)
    {
        var services = new ServiceCollection();
        services.AddSingleton<ILoggerFactory>(Log);
        services.AddDistributedMemoryCache();

        // Ahead of the context: neither order may matter.
        services.AddProjection<OrderContext, OrderView>(p =>
        {
            p.RetryDelay(TimeSpan.FromMilliseconds(20), TimeSpan.FromMilliseconds(200)).PollInterval(TimeSpan.FromMilliseconds(50));
            options.Settings(p);
            var view = p.Key(v => v.OrderId)
                .On<Order>(o => o.Id)
                .On<OrderLine>(l => l.OrderId)
                .On<Customer, int>(c => c.Id, (db, customerId) => db.Orders.Where(o => o.CustomerId == customerId).Select(o => o.Id))
                .Build(options.Build);
            _ = options.Redis is { } redis ? view.IntoRedis(redis) : options.IntoDocuments ? view.IntoDocuments() : options.Store is { } store ? view.Into(store) : view.IntoTable();
        });
        services.AddPooledDbContextFactory<OrderContext>(o =>
        {
            o.UseNpgsql(database.ConnectionString, n => _ = options.Retries ? n.EnableRetryOnFailure() : n);
            options.Context(o);
        });
        options.Services(services);
        _services = services.BuildServiceProvider();
    }

    public EventLog Log { get; } = new();

    public IProjectionStore<OrderView> Documents => _services.GetRequiredService<IProjectionStore<OrderView>>();

    public OrderContext Context() => _services.GetRequiredService<IDbContextFactory<OrderContext>>().CreateDbContext();

    public async Task<OrderInstance> StartAsync()
    {
        _isRunning = true;
        foreach (var service in _services.GetServices<IHostedService>())
        {
            await service.StartAsync(CancellationToken.None);
        }

        return this;
    }

    public async Task StopAsync()
    {
        if (_isRunning)
        {
            _isRunning = false;
            foreach (var service in _services.GetServices<IHostedService>())
            {
                await service.StopAsync(CancellationToken.None);
            }
        }
    }

    public async Task WriteAsync(Func<OrderContext, Task> write)
    {
        await using var context = Context();
        await write(context);
        await context.SaveChangesAsync();
    }

    /// <summary>Adds an order with one line for each price.</summary>
    public async Task<int> AddOrderAsync(string? note = null, params decimal[] prices)
    {
        var order = new Order { Note = note, Lines = [.. prices.Select((p, i) => new OrderLine { Product = $"p{i}", Price = p })] };
        await WriteAsync(async c => await c.AddAsync(order));
        return order.Id;
    }

    public async Task<long> RowsAsync()
    {
        await using var context = Context();
        return (await context.Database.SqlQueryRaw<long>("SELECT count(*) AS \"Value\" FROM efscaling.outbox").ToListAsync())[0];
    }

    public async Task<ProjectionStatus> StatusAsync()
    {
        await using var context = Context();
        return (await context.Database.GetProjectionStatusAsync<OrderView>())[0];
    }

    /// <summary>Waits until nothing is left to apply but what is parked.</summary>
    public Task UntilAppliedAsync() => Eventually.ThatAsync(
        async () => await StatusAsync() is { Pending: 0, Rebuilding: 0 }, _deadline, $"the outbox to be applied; logged: {string.Join('\n', Log.Events.TakeLast(3))}");

    /// <summary>Returns the views that the rows ask for now.</summary>
    public async Task<List<string>> ExpectedAsync()
    {
        await using var context = Context();
        var views = new List<string>();
        foreach (var id in await context.Orders.OrderBy(o => o.Id).Select(o => o.Id).ToListAsync())
        {
            views.Add((await OrderContext.BuildAsync(context, id, CancellationToken.None))!.ToString());
        }

        return views;
    }

    /// <summary>Returns the views in the table.</summary>
    public async Task<List<string>> ViewsAsync()
    {
        await using var context = Context();
        return [.. (await context.Views.AsNoTracking().OrderBy(v => v.OrderId).ToListAsync()).Select(v => v.ToString())];
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        await _services.DisposeAsync();
    }
}
