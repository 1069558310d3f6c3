using EfScaling.Infrastructure;
using EfScaling.Projections;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers read models that follow what contexts write.</summary>
public static class ProjectionServiceCollectionExtensions
{
    /// <summary>Keeps a read model current with what contexts of a type write, and runs its dispatcher with the application.</summary>
    /// <typeparam name="TContext">The context, registered with <c>AddDbContext</c>, <c>AddDbContextFactory</c> or <c>AddPooledDbContextFactory</c>, before or after.</typeparam>
    /// <typeparam name="TView">The type of the views: an entity of the context, or any type that JSON can hold.</typeparam>
    /// <param name="services">The application's services.</param>
    /// <param name="configure">Says what the views are made of, as in <c>p.Key(v => v.Id).On&lt;Order>(o => o.Id).Build(...)</c>.</param>
    /// <returns>The same services.</returns>
    /// <remarks>
    /// SaveChanges writes the keys of changed rows to the table <c>efscaling.outbox</c> in its own transaction. Dispatchers, of which every instance of the
    /// application may run one, build the views of those keys again, at least once for each change and for one key one after the other.
    /// </remarks>
    /// <exception cref="ArgumentException">A lambda does not name a property, or a key has a type that it may not have.</exception>
    /// <exception cref="InvalidOperationException">
    /// Something is missing, another projection of any context has the name, or another one keeps documents of views with the same type name in the same place.
    /// </exception>
    public static IServiceCollection AddProjection<TContext, TView>(this IServiceCollection services, Action<ProjectionBuilder<TContext, TView>> configure)
        where TContext : DbContext
        where TView : class
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(configure);
        var builder = new ProjectionBuilder<TContext, TView>();
        configure(builder);
        var projection = builder.Create();
        var projections = ProjectionsOf<TContext>(services);
        CheckName(services, projections, typeof(TContext), projection.Name);
        projections.Add(projection);
        builder.Register(services);
        return services;
    }

    // Contexts may share a database, and with it the outbox, which knows projections by nothing but their names.
    private static void CheckName(IServiceCollection services, ProjectionSet own, Type contextType, string name)
    {
        var others = services.Where(d => !d.IsKeyedService).Select(d => d.ImplementationInstance).OfType<ProjectionSet>().Where(s => s != own);
        if (others.Any(s => s.All.Any(p => p.Name == name)))
        {
            throw new InvalidOperationException(
                $"The projection '{name}' of '{contextType.Name}' has the name of one of another context, with which it would share rows of the outbox. Give one of them another name with Named(...).");
        }
    }

    private static ContextProjections<TContext> ProjectionsOf<TContext>(IServiceCollection services)
        where TContext : DbContext
    {
        if (services.FirstOrDefault(d => d.ServiceType == typeof(ContextProjections<TContext>))?.ImplementationInstance is ContextProjections<TContext> known)
        {
            return known;
        }

        var projections = new ContextProjections<TContext>();
        var extension = new ProjectionOptionsExtension(projections);
        services.AddSingleton(projections);
        services.ConfigureDbContext<TContext>(options => ((IDbContextOptionsBuilderInfrastructure)options).AddOrUpdateExtension(extension));
        services.AddHostedService<ProjectionDispatcher<TContext>>();
        return projections;
    }
}
