// The provider's own manager applies enums, plugins, TLS callbacks and ConfigureDataSource to a new data source; there is no public way to do the
// same (npgsql/efcore.pg#3063). Its CreateDataSource is the single internal member used here.
#pragma warning disable EF1001

using System.Collections.Concurrent;
using System.Reflection;
using Npgsql;
using Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure;
using Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure.Internal;
using Npgsql.EntityFrameworkCore.PostgreSQL.Storage.Internal;

namespace EfScaling.Topology;

/// <summary>Builds and keeps the data sources of nodes, each with exactly the provider configuration of the context.</summary>
/// <remarks>
/// Thread-safe. One data source exists for each connection string and <c>ConfigureDataSource</c> method; like the provider, it takes what that method
/// captures from the first context that uses it. They live as long as EF's internal service provider, which owns this object.
/// </remarks>
internal sealed class NodeDataSources(IEnumerable<INpgsqlDataSourceConfigurationPlugin> plugins) : NpgsqlDataSourceManager(plugins), IDisposable, IAsyncDisposable
{
    private readonly ConcurrentDictionary<(string ConnectionString, MethodInfo? Configure), Lazy<NpgsqlDataSource>> _sources = new();

    /// <summary>Returns the data source of a connection string.</summary>
    /// <exception cref="InvalidOperationException">The context's <c>ConfigureDataSource</c> overrides the host, so that every node would be the same server.</exception>
    public NpgsqlDataSource Get(NpgsqlOptionsExtension provider, NpgsqlConnectionStringBuilder connectionString)
    {
        var text = connectionString.ConnectionString;
        var key = (text, provider.DataSourceBuilderAction?.Method);
        var source = _sources.GetOrAdd(key, _ => new Lazy<NpgsqlDataSource>(() => Build(provider, text)));
        try
        {
            return source.Value;
        }
        catch
        {
            // A callback of the application that failed once may succeed the next time.
            _sources.TryRemove(KeyValuePair.Create(key, source));
            throw;
        }
    }

    void IDisposable.Dispose()
    {
        Dispose();
        foreach (var source in _sources.Values.Where(s => s.IsValueCreated))
        {
            source.Value.Dispose();
        }
    }

    async ValueTask IAsyncDisposable.DisposeAsync()
    {
        await DisposeAsync().ConfigureAwait(false);
        foreach (var source in _sources.Values.Where(s => s.IsValueCreated))
        {
            await source.Value.DisposeAsync().ConfigureAwait(false);
        }
    }

    private NpgsqlDataSource Build(NpgsqlOptionsExtension provider, string connectionString)
    {
        var source = CreateDataSource((NpgsqlOptionsExtension)provider.WithConnectionString(connectionString));
        var wanted = NodeEndpoint.Parse(new NpgsqlConnectionStringBuilder(connectionString));
        var built = NodeEndpoint.Parse(new NpgsqlConnectionStringBuilder(source.ConnectionString));
        if (wanted.SequenceEqual(built))
        {
            return source;
        }

        source.Dispose();
        throw new InvalidOperationException(
            $"Building the connections of node '{wanted[0]}' gave connections to '{built[0]}', because ConfigureDataSource sets the host. "
            + "Set the host in the connection strings of UseNpgsql and AddReplica, and only the rest in ConfigureDataSource.");
    }
}
