using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.AspNetCore.ShardKeys;

/// <summary>The shard key of a scope of services, usually of a request: the scope's <typeparamref name="TContext"/> works on the key's shard alone.</summary>
/// <typeparam name="TContext">The context's type.</typeparam>
/// <remarks>A scoped service. Not thread-safe.</remarks>
public sealed class ShardKeyBinding<TContext>
    where TContext : DbContext
{
    private readonly ShardedDbContextFactory<TContext> _factory;
    private readonly RequestKeyOptions _options;
    private readonly RequestKeyScope _scope;
    private ShardKey? _key;
    private bool _isUsed;

    internal ShardKeyBinding(ShardedDbContextFactory<TContext> factory, RequestKeyOptions options, RequestKeyScope scope) => (_factory, _options, _scope) = (factory, options, scope);

    /// <summary>Gets the key once the scope's context was made, or <see cref="Bind"/> was called.</summary>
    /// <value><see langword="null"/> before, and if the context spans all shards.</value>
    public ShardKey? Key => _key;

    /// <summary>Sets the key of a scope that is no request, as of a message or a job, or in the place of the request's own.</summary>
    /// <param name="key">The key.</param>
    /// <exception cref="InvalidOperationException">The scope's context was made already.</exception>
    public void Bind(ShardKey key)
    {
        if (_isUsed)
        {
            throw new InvalidOperationException($"A shard key was set for a scope whose '{typeof(TContext).Name}' was made already. Call Bind(key) before the context is asked for, or in a scope of its own.");
        }

        _key = key;
    }

    /// <summary>Makes the scope's context.</summary>
    internal TContext CreateDbContext()
    {
        var reader = new RequestKeyReader(_options, _factory.KeyTypesOf(_options.Map), typeof(TContext).Name);
        _key ??= _scope.Request is { } request
            ? reader.Read(request)
            : throw new InvalidOperationException(
                $"A '{typeof(TContext).Name}' was asked for in a scope without a shard key. Call app.UseShardKeys() before what serves the requests; in a scope of your own call "
                + $"Bind(key) on ShardKeyBinding<{typeof(TContext).Name}>, or CreateDbContext(key) on ShardedDbContextFactory<{typeof(TContext).Name}>.");
        _isUsed = true;
        try
        {
            return _key is { } key ? _factory.CreateDbContext(key, _options.Map) : _factory.CreateDbContext();
        }
        catch (ShardKeyException exception) when (_scope.Request is not null && exception.Reason is ShardKeyRefusal.OutOfRange or ShardKeyRefusal.UnknownRegion)
        {
            throw reader.Unplaced(exception);
        }
    }
}
