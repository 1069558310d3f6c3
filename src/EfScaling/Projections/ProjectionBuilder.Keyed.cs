using System.Linq.Expressions;
using System.Text.Json;
using EfScaling.Caching.Redis;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace EfScaling.Projections;

/// <summary>Says where the changes of a read model come from, how a view is built, and where it is kept.</summary>
/// <typeparam name="TContext">The context whose changes change it.</typeparam>
/// <typeparam name="TView">The type of its views.</typeparam>
/// <typeparam name="TKey">The type of their keys.</typeparam>
public sealed class ProjectionBuilder<TContext, TView, TKey>
    where TContext : DbContext
    where TView : class
    where TKey : notnull
{
    private readonly Expression<Func<TView, TKey>> _key;
    private readonly List<ProjectionSource> _sources = [];
    private Func<TContext, TKey, CancellationToken, Task<TView?>>? _build;
    private Func<TContext, TKey, CancellationToken, Task>? _apply;
    private Func<IServiceProvider, IProjectionStore<TView>>? _store;
    private (RedisOptions Server, JsonSerializerOptions? Json)? _redis;
    private bool _usesDocuments;

    internal ProjectionBuilder(Expression<Func<TView, TKey>> key) => _key = key;

    /// <summary>Names an entity that belongs to one view: when a row of it is added, changed or deleted, the view is built again, and the one it belonged to before.</summary>
    /// <typeparam name="TSource">The entity. Entities that it owns and types derived from it count as it.</typeparam>
    /// <param name="key">Its property that holds the key of the view, as in <c>l => l.OrderId</c>.</param>
    /// <returns>The same builder.</returns>
    /// <exception cref="ArgumentException">The lambda does not name a property, or the entity is the view itself.</exception>
    public ProjectionBuilder<TContext, TView, TKey> On<TSource>(Expression<Func<TSource, TKey>> key)
        where TSource : class =>
        Add(new DirectSource<TSource, TKey>(key));

    /// <summary>Names an entity that appears in many views, as a customer in those of their orders.</summary>
    /// <typeparam name="TSource">The entity. Entities that it owns and types derived from it count as it.</typeparam>
    /// <typeparam name="TSourceKey">The type of the property.</typeparam>
    /// <param name="key">Its property by which the views are found, as in <c>c => c.Id</c>.</param>
    /// <param name="affected">Finds the keys of the views, when the change is committed.</param>
    /// <returns>The same builder.</returns>
    /// <exception cref="ArgumentException">The lambda does not name a property of a type that a key may have, or the source is there already.</exception>
    public ProjectionBuilder<TContext, TView, TKey> On<TSource, TSourceKey>(
        Expression<Func<TSource, TSourceKey>> key, Func<TContext, TSourceKey, IQueryable<TKey>> affected)
        where TSource : class
        where TSourceKey : notnull
    {
        ArgumentNullException.ThrowIfNull(affected);
        ProjectionKey.Check(typeof(TSourceKey));
        return Add(new FanOutSource<TContext, TSource, TSourceKey, TKey>(key, affected));
    }

    /// <summary>Says how the view of a key is built from the rows as they are now.</summary>
    /// <param name="build">
    /// Returns the view, or <see langword="null"/> if there is none (any more). It runs again whenever a change is dispatched again, in a transaction of the
    /// dispatcher, and must depend on nothing but the database. Its queries track nothing unless they say so.
    /// </param>
    /// <returns>The same builder.</returns>
    public ProjectionBuilder<TContext, TView, TKey> Build(Func<TContext, TKey, CancellationToken, Task<TView?>> build)
    {
        ArgumentNullException.ThrowIfNull(build);
        _build = build;
        return this;
    }

    /// <summary>Says what becomes of a changed key, in the place of <see cref="Build"/>. What it changes in the context is saved in the dispatcher's transaction.</summary>
    /// <param name="apply">Runs at least once for each change, for one key by one dispatcher at a time, and must lead to the same result when it runs again.</param>
    /// <returns>The same builder.</returns>
    public ProjectionBuilder<TContext, TView, TKey> Apply(Func<TContext, TKey, CancellationToken, Task> apply)
    {
        ArgumentNullException.ThrowIfNull(apply);
        _apply = apply;
        return this;
    }

    /// <summary>Keeps the views in the table of <typeparamref name="TView"/>, an entity of the same context. The default.</summary>
    /// <returns>The same builder.</returns>
    public ProjectionBuilder<TContext, TView, TKey> IntoTable()
    {
        (_store, _redis, _usesDocuments) = (null, null, false);
        return this;
    }

    /// <summary>Keeps the views as JSON documents in the application's <c>IDistributedCache</c>; read them with <see cref="IProjectionStore{TView}.FindAsync"/>.</summary>
    /// <returns>The same builder.</returns>
    /// <remarks>
    /// An <see cref="IProjectionStore{TView}"/> that the application registers itself takes the place of the documents. One projection of a type of views can
    /// keep its documents so; give others a <see cref="ProjectionDocumentStore{TView}"/> with a prefix of its own by <see cref="Into"/>.
    /// </remarks>
    public ProjectionBuilder<TContext, TView, TKey> IntoDocuments()
    {
        Into(p => p.GetRequiredService<IProjectionStore<TView>>());
        _usesDocuments = true;
        return this;
    }

    /// <summary>Keeps the views in a store of the application.</summary>
    /// <param name="store">Finds the store in the application's services.</param>
    /// <returns>The same builder.</returns>
    public ProjectionBuilder<TContext, TView, TKey> Into(Func<IServiceProvider, IProjectionStore<TView>> store)
    {
        ArgumentNullException.ThrowIfNull(store);
        (_store, _redis, _usesDocuments) = (store, null, false);
        return this;
    }

    /// <summary>Keeps the views as JSON documents in Redis or Valkey; read them with <see cref="IProjectionStore{TView}.FindAsync"/>.</summary>
    /// <param name="configuration">
    /// Such as <c>documents.example:6379,password=…,ssl=true</c>, with the common keywords of StackExchange.Redis; with <c>serviceName=…</c> the hosts are sentinels.
    /// </param>
    /// <returns>The same builder.</returns>
    /// <remarks>
    /// <para>
    /// Give it a Redis that writes to disk and evicts nothing, and not the one of the query cache: these are not copies but the data, until the projection is
    /// rebuilt. The view of a key is in the hash <c>efs:doc:{name of the projection}:{key}</c>, field <c>view</c>; databases that share one Redis need projections
    /// with different names, or different <see cref="RedisOptions.Database"/>s.
    /// </para>
    /// <para>
    /// A document is written, in one step, only in the place of an older one. Each operation may take 2 seconds, or <see cref="RedisOptions.MaxWait"/> if that is
    /// longer. When Redis cannot be reached, or is late, changes wait, and reading throws <see cref="IOException"/>.
    /// </para>
    /// <para>With several projections of one type of views the store of each is registered under its name, as a keyed service, too.</para>
    /// </remarks>
    /// <exception cref="ArgumentException">The configuration cannot be read.</exception>
    public ProjectionBuilder<TContext, TView, TKey> IntoRedis(string configuration) => IntoRedis(RedisOptions.Parse(configuration));

    /// <inheritdoc cref="IntoRedis(string)"/>
    /// <param name="options">The servers and limits.</param>
    /// <param name="json">How views are written; <see langword="null"/> for the defaults of <see cref="JsonSerializer"/>.</param>
    public ProjectionBuilder<TContext, TView, TKey> IntoRedis(RedisOptions options, JsonSerializerOptions? json = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        (_store, _redis, _usesDocuments) = (null, (options, json), false);
        return this;
    }

    internal Projection Create(ProjectionOptions options)
    {
        if (_sources.Count == 0)
        {
            throw new InvalidOperationException($"The projection '{options.Name}' follows no entity. Name at least one with On<...>(...).");
        }

        if (_build is null == _apply is null)
        {
            throw new InvalidOperationException($"The projection '{options.Name}' needs either Build(...) or Apply(...), and not both.");
        }

        return new KeyedProjection<TContext, TView, TKey>(options, [.. _sources], TargetOf(options.Name));
    }

    /// <summary>Registers the store of the documents, if there are any.</summary>
    /// <exception cref="InvalidOperationException">Another projection keeps its documents in the same place.</exception>
    internal void Register(IServiceCollection services, string name)
    {
        if (_usesDocuments || _redis is not null)
        {
            DocumentPlace.Take(services, new DocumentPlace(typeof(TView), name, _redis is not null));
        }

        if (_usesDocuments)
        {
            services.TryAddSingleton<IProjectionStore<TView>>(p => new ProjectionDocumentStore<TView>(p.GetRequiredService<IDistributedCache>()));
        }

        if (_redis is not { } redis)
        {
            return;
        }

        // One connection for all projections into one server.
        services.TryAddKeyedSingleton(redis.Server, (p, _) => new RedisDocuments(redis.Server, p.GetService<TimeProvider>() ?? TimeProvider.System));
        services.AddKeyedSingleton<IProjectionStore<TView>>(
            name, (p, _) => new RedisDocumentStore<TView>(p.GetRequiredKeyedService<RedisDocuments>(redis.Server), name, redis.Json));
        services.TryAddSingleton(p => p.GetRequiredKeyedService<IProjectionStore<TView>>(name));
    }

    private ProjectionTarget<TContext, TKey> TargetOf(string name) =>
        _apply is not null ? new CustomTarget<TContext, TKey>(_apply)
        : _redis is not null ? new StoreTarget<TContext, TView, TKey>(name, _key.Compile(), _build!, p => p.GetRequiredKeyedService<IProjectionStore<TView>>(name))
        : _store is not null ? new StoreTarget<TContext, TView, TKey>(name, _key.Compile(), _build!, _store)
        : new TableTarget<TContext, TView, TKey>(name, _key, _build!);

    private ProjectionBuilder<TContext, TView, TKey> Add(ProjectionSource source)
    {
        if (source.EntityType == typeof(TView))
        {
            throw new ArgumentException($"The views of type '{typeof(TView).Name}' cannot be made from themselves. Name the entities that they are made from with On<...>(...).");
        }

        if (source.Name.Length > 0 && _sources.Any(s => s.Name == source.Name))
        {
            throw new ArgumentException($"The source '{source.Name}' was added twice. Find all affected views in one On<...>(...).");
        }

        _sources.Add(source);
        return this;
    }
}
