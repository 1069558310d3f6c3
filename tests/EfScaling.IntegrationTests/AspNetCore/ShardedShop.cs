using System.Security.Claims;
using EfScaling.AspNetCore.ShardKeys;
using EfScaling.Consistency;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.IntegrationTests.Sharding;
using EfScaling.Routing.Shards;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;

namespace EfScaling.IntegrationTests.AspNetCore;

/// <summary>A web application over the shards of the shop, each of whose requests works for one customer.</summary>
public sealed class ShardedShop : IAsyncDisposable
{
    private readonly WebApplication _app;

    private ShardedShop(WebApplication app, EventLog log)
    {
        (_app, Log) = (app, log);
        Client = new HttpClient { BaseAddress = new Uri(app.Urls.Single()) };
    }

    public HttpClient Client { get; }

    public EventLog Log { get; }

    public IServiceProvider Services => _app.Services;

    /// <summary>Starts it on a port of its own.</summary>
    /// <param name="databases">The shards.</param>
    /// <param name="key">Where requests bring the customer.</param>
    public static async Task<ShardedShop> StartAsync(ShopDatabases databases, Action<RequestKeyOptionsBuilder> key)
    {
        var log = new EventLog();
        var builder = WebApplication.CreateBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.Replace(ServiceDescriptor.Singleton<ILoggerFactory>(log));
        builder.Services.AddShardedDbContextFactory<ShopContext>((_, o) => databases.Configure(o, ReadContract.Primary));
        builder.Services.AddShardedDbContext<ShopContext>(key);
        builder.Services.AddControllers().AddApplicationPart(typeof(ShopController).Assembly);

        var app = builder.Build();
        app.UseShardKeys();

        // Stands for authentication: whoever names claims has them.
        app.Use((context, next) =>
        {
            context.User = new ClaimsPrincipal(new ClaimsIdentity(context.Request.Headers["Claims"].SelectMany(c => c!.Split(", ")).Select(c => new Claim("tenant_id", c)), "test"));
            return next(context);
        });
        app.MapControllers();
        app.MapGet("/minimal/{tenant}", AnswerAsync);
        app.MapGet("/minimal", AnswerAsync);
        app.MapGet("/other/{tenant}/{id}", (ShopContext context, int id) => context.Customers.Where(c => c.Id == id).Select(c => c.Name).SingleAsync());
        app.MapGet("/health", () => "no context");
        app.MapGet("/started", async (HttpContext http) =>
        {
            await http.Response.WriteAsync("half");
            await http.Response.Body.FlushAsync();
            http.RequestServices.GetRequiredService<ShopContext>();
        });
        await app.StartAsync();
        return new ShardedShop(app, log);
    }

    /// <summary>Tells the shard, the customers there, and how often the context has been lent.</summary>
    public static async Task<ShopAnswer> AnswerAsync(ShopContext context) => new(
        await context.Customers.OrderBy(c => c.Id).Select(c => c.Id).ToListAsync(), context.Database.LastRouting()!.Value.Shard, $"{context.ContextId.InstanceId}", context.ContextId.Lease);

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _app.DisposeAsync();
    }
}

/// <summary>What a request saw.</summary>
public sealed record ShopAnswer(IReadOnlyList<int> Customers, string? Shard, string Instance, int Lease);

/// <summary>The shop as MVC serves it.</summary>
[ApiController]
[Route("mvc/{tenant}")]
public sealed class ShopController(ShopContext context) : ControllerBase
{
    [HttpGet]
    public Task<ShopAnswer> Get() => ShardedShop.AnswerAsync(context);
}
