using Microsoft.Extensions.DependencyInjection;

namespace EfScaling.Projections;

/// <summary>Notes among the application's services which projection keeps its documents where.</summary>
/// <param name="ViewType">The type of the views.</param>
/// <param name="Projection">The name of the projection.</param>
/// <param name="IsInRedis">Whether the name of the projection is part of the documents' keys, and that of the type is not.</param>
internal sealed record DocumentPlace(Type ViewType, string Projection, bool IsInRedis)
{
    /// <summary>Notes a place.</summary>
    /// <exception cref="InvalidOperationException">Another projection would write the same documents.</exception>
    public static void Take(IServiceCollection services, DocumentPlace place)
    {
        if (services.Where(d => !d.IsKeyedService).Select(d => d.ImplementationInstance).OfType<DocumentPlace>().FirstOrDefault(place.Clashes) is { } other)
        {
            throw new InvalidOperationException(
                $"The projections '{other.Projection}' and '{place.Projection}' would overwrite each other's documents, which IntoDocuments() keeps under the type's name "
                + $"'{place.ViewType.Name}'. Use IntoRedis(...) for both, or Into(...) with a ProjectionDocumentStore that has a prefix of its own.");
        }

        services.AddSingleton(place);
    }

    // Redis on one side only clashes as well if the type is the same: what IntoDocuments asks the services for is then the store in Redis.
    private bool Clashes(DocumentPlace other) => (IsInRedis, other.IsInRedis) switch
    {
        (true, true) => false,
        (false, false) => ViewType.Name == other.ViewType.Name,
        _ => ViewType == other.ViewType,
    };
}
