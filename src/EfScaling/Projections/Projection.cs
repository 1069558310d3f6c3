using Microsoft.EntityFrameworkCore;

namespace EfScaling.Projections;

/// <summary>What keeps one read model current: where changes come from, and how the views of changed keys are made again.</summary>
/// <remarks>Thread-safe.</remarks>
internal abstract class Projection(ProjectionOptions options, Type viewType, IReadOnlyList<ProjectionSource> sources)
{
    /// <summary>Gets the settings.</summary>
    public ProjectionOptions Options { get; } = options;

    /// <summary>Gets the name under which the projection's rows stand in the outbox.</summary>
    public string Name => Options.Name;

    /// <summary>Gets the type of the views.</summary>
    public Type ViewType { get; } = viewType;

    /// <summary>Gets the entities whose changes change views.</summary>
    public IReadOnlyList<ProjectionSource> Sources { get; } = sources;

    /// <summary>Gets how the outbox knows what this instance can apply: the keys of views, and the sources.</summary>
    public string[] SourceNames { get; } = [.. sources.Select(s => s.Name).Append(ProjectionSource.Direct).Distinct()];

    /// <summary>Gets what wakes the dispatcher in this process.</summary>
    public ProjectionSignal Signal { get; } = new();

    /// <summary>Gets whether views are kept outside of the database, so that a transaction of it cannot take them back.</summary>
    public abstract bool IsExternal { get; }

    /// <summary>Returns the text of a key that an application names.</summary>
    /// <exception cref="ArgumentException">The key has another type than the projection's.</exception>
    public abstract string FormatKey(object key);

    /// <summary>Returns all keys that may have a view now, or should have one.</summary>
    public abstract IReadOnlyList<KeyPages> AllKeys(DbContext context);

    /// <summary>Makes the views of keys as the database is now. Doing it again changes nothing.</summary>
    /// <param name="context">A context with a transaction in which the keys are locked.</param>
    /// <param name="services">Services of the application.</param>
    /// <param name="keys">The keys, each once.</param>
    /// <param name="version">Higher than in every earlier call for one of the keys.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public abstract Task ApplyAsync(DbContext context, IServiceProvider services, IReadOnlyList<string> keys, long version, CancellationToken cancellationToken);
}
