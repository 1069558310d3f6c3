// The connection logger without interceptors can only be made from EF's own class; there is no public way to leave interceptors out.
#pragma warning disable EF1001

using System.Diagnostics;
using EfScaling.Replication;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Diagnostics.Internal;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EfScaling.Routing;

/// <summary>Makes what connections to nodes are built from: the context's own dependencies, without our interceptor where nobody else listens.</summary>
/// <remarks>
/// An interceptor of connections makes EF build four event objects for each query (some 400 bytes), whatever it does with them. Ours has no business with
/// the connections to nodes; as soon as the application has an interceptor of connections, its events are raised there as everywhere.
/// </remarks>
internal static class NodeConnectionDependencies
{
    /// <summary>Makes the dependencies for one context.</summary>
    /// <param name="services">The context's services.</param>
    /// <param name="cluster">The cluster of the nodes.</param>
    public static RelationalConnectionDependencies Create(IServiceProvider services, Cluster cluster)
    {
        var dependencies = services.GetRequiredService<RelationalConnectionDependencies>() with { ContextOptions = cluster.NodeOptions };
        foreach (var interceptor in services.GetServices<IInterceptor>())
        {
            if (interceptor is IDbConnectionInterceptor and not PrimaryConnectionInterceptor)
            {
                return dependencies;
            }
        }

        var contextOptions = services.GetRequiredService<IDbContextOptions>();
        foreach (var interceptor in contextOptions.FindExtension<CoreOptionsExtension>()?.Interceptors ?? [])
        {
            if (interceptor is IDbConnectionInterceptor)
            {
                return dependencies;
            }
        }

        return dependencies with
        {
            ConnectionLogger = new RelationalConnectionDiagnosticsLogger(
                services.GetRequiredService<ILoggerFactory>(),
                services.GetRequiredService<ILoggingOptions>(),
                services.GetRequiredService<DiagnosticSource>(),
                services.GetRequiredService<LoggingDefinitions>(),
                services.GetRequiredService<IDbContextLogger>(),
                contextOptions),
        };
    }
}
