using EfScaling.Routing;
using Microsoft.EntityFrameworkCore;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers the context factories of EfScaling.</summary>
public static class EfScalingServiceCollectionExtensions
{
    /// <summary>Registers a <see cref="ReadReplicaDbContextFactory{TContext}"/> that creates contexts with the given options.</summary>
    /// <typeparam name="TContext">The context's type.</typeparam>
    /// <param name="services">The application's services.</param>
    /// <param name="options">Configures the context: <c>UseNpgsql</c>, then <c>UseReadReplicas</c>.</param>
    /// <param name="isPooled">Whether contexts are pooled, as by <c>AddPooledDbContextFactory</c>.</param>
    /// <returns>The same services. The factory is also registered as <see cref="IDbContextFactory{TContext}"/>.</returns>
    public static IServiceCollection AddReadReplicaDbContextFactory<TContext>(
        this IServiceCollection services, Action<IServiceProvider, DbContextOptionsBuilder> options, bool isPooled = true)
        where TContext : DbContext
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(options);
        _ = isPooled ? services.AddPooledDbContextFactory<TContext>(options) : services.AddDbContextFactory<TContext>(options);
        return services.AddReadReplicaDbContextFactory<TContext>();
    }

    /// <summary>Puts a <see cref="ReadReplicaDbContextFactory{TContext}"/> around the context factory that is registered already.</summary>
    /// <typeparam name="TContext">The context's type.</typeparam>
    /// <param name="services">The application's services, after <c>AddDbContextFactory</c> or <c>AddPooledDbContextFactory</c>.</param>
    /// <returns>The same services. The factory is also registered as <see cref="IDbContextFactory{TContext}"/>.</returns>
    /// <exception cref="InvalidOperationException">No context factory is registered.</exception>
    public static IServiceCollection AddReadReplicaDbContextFactory<TContext>(this IServiceCollection services)
        where TContext : DbContext
    {
        ArgumentNullException.ThrowIfNull(services);
        var inner = services.LastOrDefault(d => d.ServiceType == typeof(IDbContextFactory<TContext>))
            ?? throw new InvalidOperationException(
                $"AddReadReplicaDbContextFactory<{typeof(TContext).Name}>() found no context factory. Call AddDbContextFactory<{typeof(TContext).Name}>(...) before it, or give it the options.");
        services.Remove(inner);
        services.Add(ServiceDescriptor.Describe(typeof(ReadReplicaDbContextFactory<TContext>), p => new ReadReplicaDbContextFactory<TContext>(Create(inner, p)), inner.Lifetime));
        services.Add(ServiceDescriptor.Describe(typeof(IDbContextFactory<TContext>), p => p.GetRequiredService<ReadReplicaDbContextFactory<TContext>>(), inner.Lifetime));
        return services;

        static IDbContextFactory<TContext> Create(ServiceDescriptor descriptor, IServiceProvider provider) =>
            (IDbContextFactory<TContext>)(descriptor.ImplementationInstance
                ?? descriptor.ImplementationFactory?.Invoke(provider)
                ?? ActivatorUtilities.CreateInstance(provider, descriptor.ImplementationType!));
    }
}
