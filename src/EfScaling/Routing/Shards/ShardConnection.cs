using System.Data;
using System.Data.Common;
using EfScaling.Routing.Transactions;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Routing.Shards;

/// <summary>A context's connection to the primary of a shard that is not its own, for queries and writes alike.</summary>
/// <remarks>Not thread-safe, like the context it belongs to.</remarks>
internal sealed class ShardConnection(RelationalConnectionDependencies dependencies, DbDataSource source) : RelationalConnection(dependencies)
{
    private bool _isEnlisting;
    private bool _isClosing;

    /// <summary>Gets or sets the router of what runs on it.</summary>
    public ReadRouter Router { get; set; } = null!;

    /// <inheritdoc />
    public override string? ConnectionString
    {
        get => source.ConnectionString;
        set => throw new NotSupportedException("The connection string of a shard is fixed.");
    }

    /// <summary>Gets the transaction of the connection; one of the application on the context, if the shard takes part in it from its next command on.</summary>
    public override IDbContextTransaction? CurrentTransaction
    {
        get => base.CurrentTransaction ?? (_isEnlisting || _isClosing ? null : Router.Spanning?.Home);
        protected set => base.CurrentTransaction = value;
    }

    /// <inheritdoc />
    public override bool Open(bool errorsExpected = false)
    {
        Synchrony.Result(JoinAsync(async: false, CancellationToken.None));
        return base.Open(errorsExpected);
    }

    /// <inheritdoc />
    public override Task<bool> OpenAsync(CancellationToken cancellationToken, bool errorsExpected = false)
    {
        return TransactionToJoin is null ? base.OpenAsync(cancellationToken, errorsExpected) : JoinAndOpenAsync();

        async Task<bool> JoinAndOpenAsync()
        {
            await JoinAsync(async: true, cancellationToken).ConfigureAwait(false);
            return await base.OpenAsync(cancellationToken, errorsExpected).ConfigureAwait(false);
        }
    }

    /// <inheritdoc />
    /// <remarks>EF ends the transaction of a connection that it closes, which must not be the application's on the context.</remarks>
    public override bool Close()
    {
        _isClosing = true;
        try
        {
            return base.Close();
        }
        finally
        {
            _isClosing = false;
        }
    }

    /// <inheritdoc cref="Close" />
    public override async Task<bool> CloseAsync()
    {
        _isClosing = true;
        try
        {
            return await base.CloseAsync().ConfigureAwait(false);
        }
        finally
        {
            _isClosing = false;
        }
    }

    /// <summary>Returns the refusal of a command in a transaction that has lost its connection to a shard.</summary>
    public static InvalidOperationException Lost(string shard) => new(
        $"A command was to run on the shard '{shard}' in a transaction whose connection there is lost, and with it what the transaction has written. Roll the transaction back and repeat all of it.");

    /// <summary>Takes part in the transaction that the application has begun on the context, if there is one.</summary>
    /// <param name="async">Whether to wait asynchronously.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="InvalidOperationException">The connection was lost since it took part.</exception>
    public async ValueTask JoinAsync(bool async, CancellationToken cancellationToken)
    {
        if (TransactionToJoin is not { } transaction)
        {
            return;
        }

        _isEnlisting = true;
        try
        {
            await transaction.EnlistAsync(Router, async, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _isEnlisting = false;
        }
    }

    /// <inheritdoc />
    protected override bool SupportsAmbientTransactions => true;

    // EF would open a new connection in the place of one that is lost, and run what follows outside of the transaction.
    private SpanningTransaction? TransactionToJoin => _isEnlisting || Router.Spanning is not { } transaction ? null
        : base.CurrentTransaction is null ? transaction
        : DbConnection.State == ConnectionState.Open ? null
        : throw Lost(Router.ShardName!);

    /// <inheritdoc />
    protected override DbConnection CreateDbConnection()
    {
        // Of several hosts, the present primary.
        var connection = (Router.Cluster.PrimarySource ?? source).CreateConnection();
        Router.Watch(connection);
        return connection;
    }

    /// <inheritdoc />
    protected override void OpenDbConnection(bool errorsExpected)
    {
        base.OpenDbConnection(errorsExpected);
        ShardEncoding.Check(this);
    }

    /// <inheritdoc />
    protected override Task OpenDbConnectionAsync(bool errorsExpected, CancellationToken cancellationToken) =>
        ShardEncoding.CheckAsync(base.OpenDbConnectionAsync(errorsExpected, cancellationToken), this);
}
