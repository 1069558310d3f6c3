using EfScaling.AspNetCore.Sessions;
using EfScaling.Consistency;
using Microsoft.Extensions.DependencyInjection;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Gives each request a consistency session.</summary>
public static class ConsistencySessionApplicationBuilderExtensions
{
    /// <summary>Runs each request in a <see cref="ConsistencySession"/> that knows what the user wrote and saw in earlier ones, on whatever instance.</summary>
    /// <param name="app">The application.</param>
    /// <returns>The same application.</returns>
    /// <remarks>
    /// Call it before everything that reads or writes the database (authentication with a database behind it, output caching, endpoints), and after
    /// <c>UseForwardedHeaders</c>, <c>UseExceptionHandler</c> and <c>UseStaticFiles</c>.
    /// </remarks>
    /// <exception cref="InvalidOperationException"><c>AddConsistencySessions</c> was not called.</exception>
    public static IApplicationBuilder UseConsistencySessions(this IApplicationBuilder app)
    {
        ArgumentNullException.ThrowIfNull(app);
        if (app.ApplicationServices.GetService<IServiceProviderIsService>()?.IsService(typeof(TokenTransport)) == false)
        {
            throw new InvalidOperationException("UseConsistencySessions() found no settings. Call services.AddConsistencySessions(o => o.AddSigningKey(...)) first.");
        }

        return app.UseMiddleware<ConsistencySessionMiddleware>();
    }
}
