using EfScaling.AspNetCore.ShardKeys;
using Microsoft.Extensions.DependencyInjection;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Gives each request its shard key.</summary>
public static class ShardKeyApplicationBuilderExtensions
{
    /// <summary>Lets the contexts of <c>AddShardedDbContext</c> find the shard key of their request, and answers requests without a usable one.</summary>
    /// <param name="app">The application.</param>
    /// <returns>The same application.</returns>
    /// <remarks>
    /// Call it after <c>UseExceptionHandler</c> and before everything that uses such a context. The key is read when the context is asked for: a route must be matched by
    /// then, and a user known.
    /// </remarks>
    /// <exception cref="InvalidOperationException"><c>AddShardedDbContext</c> was not called.</exception>
    public static IApplicationBuilder UseShardKeys(this IApplicationBuilder app)
    {
        ArgumentNullException.ThrowIfNull(app);
        if (app.ApplicationServices.GetService<IServiceProviderIsService>()?.IsService(typeof(RequestKeyScope)) == false)
        {
            throw new InvalidOperationException("UseShardKeys() found no context. Call services.AddShardedDbContext<TContext>(k => k.FromRoute(...)) first.");
        }

        return app.UseMiddleware<ShardKeyMiddleware>();
    }
}
