using EfScaling.AspNetCore.ShardKeys;
using EfScaling.Routing.Shards;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Gives each request the context of its own shard.</summary>
public static class ShardedDbContextServiceCollectionExtensions
{
    /// <summary>Registers <typeparamref name="TContext"/> as a scoped service that works on the shard of the request's key alone.</summary>
    /// <typeparam name="TContext">The context's type.</typeparam>
    /// <param name="services">The application's services, with <c>AddShardedDbContextFactory</c>.</param>
    /// <param name="key">Says where requests bring the key: <c>k =&gt; k.FromRoute("tenant")</c>.</param>
    /// <returns>The same services.</returns>
    /// <remarks>
    /// Needs <c>app.UseShardKeys()</c>. The context comes from the factory's pool and returns there with the end of the request. In a scope that is no request,
    /// <see cref="ShardKeyBinding{TContext}.Bind"/> sets the key.
    /// </remarks>
    /// <exception cref="ArgumentException">No place is named.</exception>
    public static IServiceCollection AddShardedDbContext<TContext>(this IServiceCollection services, Action<RequestKeyOptionsBuilder> key)
        where TContext : DbContext
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(key);
        var builder = new RequestKeyOptionsBuilder();
        key(builder);
        var options = builder.Options;
        if (options.Sources.IsEmpty)
        {
            throw new ArgumentException($"AddShardedDbContext<{typeof(TContext).Name}> was not told where requests bring the shard key. Call FromRoute(...), FromClaim(...), FromHeader(...) or From(...).", nameof(key));
        }

        services.TryAddScoped<RequestKeyScope>();
        services.RemoveAll<ShardKeyBinding<TContext>>();
        services.AddScoped(p => new ShardKeyBinding<TContext>(p.GetRequiredService<ShardedDbContextFactory<TContext>>(), options, p.GetRequiredService<RequestKeyScope>()));

        // In the place of the one that spans all shards, which EF registers with the factory.
        services.RemoveAll<TContext>();
        services.AddScoped(p => p.GetRequiredService<ShardKeyBinding<TContext>>().CreateDbContext());
        return services;
    }
}
