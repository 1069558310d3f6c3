// EF's executor of batches has no public name, and stands in where the provider's services come behind ours.
#pragma warning disable EF1001

using EfScaling.Consistency;
using EfScaling.Projections;
using EfScaling.Routing;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Update;
using Microsoft.EntityFrameworkCore.Update.Internal;
using Microsoft.Extensions.DependencyInjection;

namespace EfScaling.Infrastructure;

/// <summary>Registers what projections add to EF's internal services.</summary>
internal static class ProjectionServices
{
    /// <summary>Adds the services, before or behind those of the provider and of read replicas.</summary>
    /// <param name="services">EF's internal services.</param>
    public static void Add(IServiceCollection services)
    {
        services.AddScoped(Session);
        new EntityFrameworkServicesBuilder(services).TryAdd<IResettableService, OutboxSession>(p => p.GetRequiredService<OutboxSession>());
        services.AddSingleton<IInterceptor, OutboxTransactionInterceptor>();

        var registered = services.LastOrDefault(d => d.ServiceType == typeof(IBatchExecutor));
        if (registered is not null)
        {
            services.Remove(registered);
        }

        services.AddScoped<IBatchExecutor>(p => new OutboxBatchExecutor(Executor(registered, p), p.GetRequiredService<ICurrentDbContext>(), p.GetRequiredService<OutboxSession>()));
    }

    private static OutboxSession Session(IServiceProvider provider)
    {
        var projections = provider.GetRequiredService<IDbContextOptions>().FindExtension<ProjectionOptionsExtension>()!.Projections;
        return provider.GetService<ReadRouter>() is { } router
            ? new OutboxSession(projections, () => router.Session.Own.Token, router.Session.Use)
            : new OutboxSession(projections, () => ConsistencyToken.None, token => ConsistencySession.Current?.Use(token));
    }

    private static IBatchExecutor Executor(ServiceDescriptor? registered, IServiceProvider provider) =>
        (IBatchExecutor)(registered?.ImplementationFactory?.Invoke(provider)
            ?? ActivatorUtilities.CreateInstance(provider, registered?.ImplementationType ?? typeof(BatchExecutor)));
}
