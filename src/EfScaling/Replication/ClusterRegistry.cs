// The options of the provider are only reachable through its internal extension (npgsql/efcore.pg#3063).
#pragma warning disable EF1001

using System.Collections.Concurrent;
using System.Reflection;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.Logging;
using Npgsql;
using Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure.Internal;

namespace EfScaling.Replication;

/// <summary>Finds the cluster that a context's options mean; options that mean the same servers, settings and logger share one.</summary>
/// <remarks>Thread-safe. Clusters live as long as EF's internal service provider, which owns this object.</remarks>
internal sealed class ClusterRegistry(ClusterFactory factory)
{
    private readonly ConcurrentDictionary<Key, Lazy<Cluster>> _clusters = new();

    /// <summary>Returns the cluster of a context.</summary>
    /// <param name="context">The context.</param>
    /// <param name="provider">The provider's options of the context.</param>
    /// <param name="connectionString">The connection string of the provider's options, with a reference to configuration resolved.</param>
    /// <param name="options">The replica settings of the context.</param>
    /// <param name="shard">The name of the shard that the cluster is; empty without sharding.</param>
    /// <exception cref="InvalidOperationException">The options cannot work; the message says what to change.</exception>
    public Cluster Get(DbContext context, NpgsqlOptionsExtension provider, string? connectionString, ReplicaOptions options, string shard)
    {
        // A data source registered with the application's services is found only by asking, and differs between applications.
        var primary = provider.DataSource ?? connectionString ?? WithoutPassword(provider.Connection?.ConnectionString) ?? (object?)ApplicationOf(context) ?? string.Empty;
        var loggerFactory = ContextOptionsOf(context).FindExtension<CoreOptionsExtension>()?.LoggerFactory;
        var key = new Key(primary, provider.DataSourceBuilderAction?.Method, loggerFactory, options, shard);
        return _clusters.TryGetValue(key, out var known) ? known.Value : Add(key, context, provider, connectionString);
    }

    private Cluster Add(Key key, DbContext context, NpgsqlOptionsExtension provider, string? connectionString)
    {
        var resolved = connectionString == provider.ConnectionString ? provider : (NpgsqlOptionsExtension)provider.WithConnectionString(connectionString);
        var cluster = _clusters.GetOrAdd(
            key, _ => new Lazy<Cluster>(() => factory.Create(resolved, key.Options, key.Shard, ApplicationOf(context), context.GetService<ILoggerFactory>())));
        try
        {
            return cluster.Value;
        }
        catch
        {
            // A callback of the application that failed once may succeed the next time.
            _clusters.TryRemove(KeyValuePair.Create(key, cluster));
            throw;
        }
    }

    // A connection of the application loses the password from its string when it is first opened; it still leads to the same servers.
    private static string? WithoutPassword(string? connectionString) =>
        connectionString is null ? null : new NpgsqlConnectionStringBuilder(connectionString) { Password = null }.ConnectionString;

    private static IDbContextOptions ContextOptionsOf(DbContext context) => context.GetService<IDbContextOptions>();

    private static IServiceProvider? ApplicationOf(DbContext context) =>
        ContextOptionsOf(context).FindExtension<CoreOptionsExtension>()?.ApplicationServiceProvider;

    private readonly record struct Key(object Primary, MethodInfo? Configure, ILoggerFactory? LoggerFactory, ReplicaOptions Options, string Shard);
}
