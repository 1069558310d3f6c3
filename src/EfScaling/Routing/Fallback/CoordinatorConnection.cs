// The options of the provider are only reachable through its internal extension (npgsql/efcore.pg#3063).
#pragma warning disable EF1001

using System.Data;
using System.Data.Common;
using System.Transactions;
using EfScaling.Sharding;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;
using Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure.Internal;

namespace EfScaling.Routing.Fallback;

/// <summary>A context's connection to the fallback coordinator, whose sessions are read-only.</summary>
/// <remarks>Not thread-safe, like the context it belongs to.</remarks>
internal sealed class CoordinatorConnection(RelationalConnectionDependencies dependencies, NpgsqlDataSource source) : RelationalConnection(dependencies)
{
    private const string ReadOnlySessions = "-c default_transaction_read_only=on";

    private DbConnection? _made;

    /// <summary>Gets or sets what is called when the connection was closed.</summary>
    public Action? Closed { get; set; }

    /// <summary>Gets the host and port of the coordinator.</summary>
    public string Name { get; } = NodeEndpoint.Parse(new NpgsqlConnectionStringBuilder(source.ConnectionString))[0].ToString();

    /// <summary>Gets the source of the connection, which has the mappings of the context.</summary>
    public NpgsqlDataSource Source => source;

    /// <summary>Gets whether it is closed.</summary>
    /// <remarks>Asked for its connection, the base class would make one, which it cannot while the context is being disposed.</remarks>
    public bool IsIdle => _made is not { State: not ConnectionState.Closed };

    /// <inheritdoc />
    public override string? ConnectionString
    {
        get => source.ConnectionString;
        set => throw new NotSupportedException("The connection string of the fallback coordinator is fixed.");
    }

    // Inside an ambient transaction nothing runs here.
    /// <inheritdoc />
    public override Transaction? CurrentAmbientTransaction => null;

    /// <summary>Returns the provider's options of a context with the connection to the coordinator in the place of its own.</summary>
    public static NpgsqlOptionsExtension ProviderFrom(NpgsqlOptionsExtension provider, FallbackCoordinatorOptions options)
    {
        var connectionString = new NpgsqlConnectionStringBuilder(options.ConnectionString) { Enlist = false };
        connectionString.Options = string.IsNullOrEmpty(connectionString.Options) ? ReadOnlySessions : $"{connectionString.Options} {ReadOnlySessions}";
        return (NpgsqlOptionsExtension)provider.WithConnection(null).WithConnectionString(connectionString.ConnectionString);
    }

    /// <inheritdoc />
    protected override DbConnection CreateDbConnection() => _made = source.CreateConnection();

    /// <inheritdoc />
    protected override void CloseDbConnection()
    {
        base.CloseDbConnection();
        Closed?.Invoke();
    }

    /// <inheritdoc />
    protected override async Task CloseDbConnectionAsync()
    {
        await base.CloseDbConnectionAsync().ConfigureAwait(false);
        Closed?.Invoke();
    }
}
