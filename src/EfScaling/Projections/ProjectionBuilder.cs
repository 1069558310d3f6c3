using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace EfScaling.Projections;

/// <summary>Says what a read model is made of.</summary>
/// <typeparam name="TContext">The context whose changes change it.</typeparam>
/// <typeparam name="TView">The type of its views.</typeparam>
public sealed class ProjectionBuilder<TContext, TView>
    where TContext : DbContext
    where TView : class
{
    private Func<ProjectionOptions, Projection>? _create;
    private Action<IServiceCollection, string>? _register;
    private ProjectionOptions _options = new() { Name = typeof(TView).Name };

    internal ProjectionBuilder()
    {
    }

    /// <summary>Gives the projection another name than that of the type of its views. The name stands in the outbox and in consistency tokens.</summary>
    /// <param name="name">Up to 100 characters; it must not change while rows with it wait.</param>
    /// <returns>The same builder.</returns>
    /// <exception cref="ArgumentException">The name is empty or too long.</exception>
    public ProjectionBuilder<TContext, TView> Named(string name)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        return name.Length <= 100
            ? With(_options with { Name = name })
            : throw new ArgumentException($"The name '{name}' has more than 100 characters.", nameof(name));
    }

    /// <summary>Sets how many changes one transaction of the dispatcher takes at most. Default 100.</summary>
    /// <param name="rows">From 1 to 1000.</param>
    /// <returns>The same builder.</returns>
    /// <remarks>Each key of a batch takes a lock in the server's table of locks, which has room for <c>max_locks_per_transaction</c> (64) times <c>max_connections</c>.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public ProjectionBuilder<TContext, TView> BatchSize(int rows)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rows, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rows, 1000);
        return With(_options with { BatchSize = rows });
    }

    /// <summary>Sets how long an idle dispatcher waits before it looks for writes of other processes; those of its own wake it. Default 500 ms.</summary>
    /// <param name="interval">From 1 ms to 1 hour.</param>
    /// <returns>The same builder.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public ProjectionBuilder<TContext, TView> PollInterval(TimeSpan interval) => With(_options with { PollInterval = Checked(interval, nameof(interval)) });

    /// <summary>Sets after how many failures a key is parked. Default 5. Failures of the connection to the database or of the store of the views do not count.</summary>
    /// <param name="attempts">1 or more.</param>
    /// <returns>The same builder.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The value is less than 1.</exception>
    public ProjectionBuilder<TContext, TView> MaxAttempts(int attempts)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(attempts, 1);
        return With(_options with { MaxAttempts = attempts });
    }

    /// <summary>Sets the pause after a first failure, which doubles with each further one, and the longest pause. Default 1 s and 1 min.</summary>
    /// <param name="first">From 1 ms to 1 hour.</param>
    /// <param name="longest">From 1 ms to 1 hour.</param>
    /// <returns>The same builder.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of range.</exception>
    public ProjectionBuilder<TContext, TView> RetryDelay(TimeSpan first, TimeSpan longest) =>
        With(_options with { FirstRetryDelay = Checked(first, nameof(first)), LongestRetryDelay = Checked(longest, nameof(longest)) });

    /// <summary>Says which property is the key of a view. The sources, and how a view is built, follow on what it returns.</summary>
    /// <typeparam name="TKey"><see langword="short"/>, <see langword="int"/>, <see langword="long"/>, <see cref="Guid"/> or <see langword="string"/>.</typeparam>
    /// <param name="key">The property, as in <c>v => v.OrderId</c>.</param>
    /// <returns>The builder of the rest.</returns>
    /// <exception cref="ArgumentException">The property has another type, or the lambda does not name one.</exception>
    public ProjectionBuilder<TContext, TView, TKey> Key<TKey>(Expression<Func<TView, TKey>> key)
        where TKey : notnull
    {
        KeyProperty.NameOf(key);
        ProjectionKey.Check(typeof(TKey));
        var keyed = new ProjectionBuilder<TContext, TView, TKey>(key);
        (_create, _register) = (keyed.Create, keyed.Register);
        return keyed;
    }

    internal Projection Create() =>
        (_create ?? throw new InvalidOperationException($"The projection '{_options.Name}' has no key. Call Key(v => v.Id), then On<...>(...) and Build(...)."))(_options);

    internal void Register(IServiceCollection services) => _register?.Invoke(services, _options.Name);

    private static TimeSpan Checked(TimeSpan value, string name)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(value, TimeSpan.FromMilliseconds(1), name);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(value, TimeSpan.FromHours(1), name);
        return value;
    }

    private ProjectionBuilder<TContext, TView> With(ProjectionOptions options)
    {
        _options = options;
        return this;
    }
}
