using Microsoft.EntityFrameworkCore.Metadata;

namespace EfScaling.Projections;

/// <summary>The projections of one context type. Filled while the application registers its services, and read only after that.</summary>
internal class ProjectionSet
{
    private readonly List<Projection> _projections = [];

    /// <summary>Gets all projections.</summary>
    public IReadOnlyList<Projection> All => _projections;

    /// <summary>Adds a projection.</summary>
    /// <exception cref="InvalidOperationException">Another one has its name.</exception>
    public void Add(Projection projection)
    {
        if (_projections.Any(p => p.Name == projection.Name))
        {
            throw new InvalidOperationException($"A projection with the name '{projection.Name}' was added twice. Give one of them another name with Named(...).");
        }

        _projections.Add(projection);
    }

    /// <summary>Returns the projections that make views of a type.</summary>
    /// <exception cref="InvalidOperationException">There is none.</exception>
    public IReadOnlyList<Projection> Of(Type viewType)
    {
        Projection[] found = [.. _projections.Where(p => p.ViewType == viewType)];
        return found.Length > 0
            ? found
            : throw new InvalidOperationException($"No projection makes views of type '{viewType.Name}' from this context. Add one with services.AddProjection<...>(...).");
    }

    /// <summary>Checks that the model knows what projections follow.</summary>
    /// <exception cref="InvalidOperationException">It lacks an entity or a property.</exception>
    public void Check(IReadOnlyModel model)
    {
        foreach (var (projection, source) in _projections.SelectMany(p => p.Sources.Select(s => (p, s))))
        {
            if (!model.GetEntityTypes().Any(t => t.ClrType == source.EntityType && t.FindProperty(source.Property) is not null))
            {
                throw new InvalidOperationException(
                    $"The projection '{projection.Name}' follows '{source.EntityType.Name}.{source.Property}', which the model of the context does not have. Map it, or correct the On<...>(...) call.");
            }
        }
    }
}
