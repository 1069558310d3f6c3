using System.Data;
using System.Data.Common;
using System.Runtime.CompilerServices;
using System.Transactions;
using EfScaling.Consistency;
using EfScaling.Diagnostics;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace EfScaling.Replication;

/// <summary>A context's connection to one node, on which the context's own connection takes no part.</summary>
/// <remarks>
/// <para>Not thread-safe, like the context it belongs to. It is leased for one read at a time; what the read needs besides (split queries) joins the lease.</para>
/// <para>
/// A session is checked once for each physical connection: that its server is a standby of the cluster, and the one that the probes measure. The check costs
/// one round trip then, and once more when the probes find another server at the address.
/// </para>
/// </remarks>
internal sealed class NodeConnection : RelationalConnection
{
    private const string ReadOnlySql = "SET default_transaction_read_only = on";

    // Npgsql hands out the same dictionary of server parameters as long as the physical connection lives, and no other.
    private static readonly ConditionalWeakTable<IReadOnlyDictionary<string, string>, CheckedSession> _checked = [];

    private readonly Cluster _cluster;
    private IReadOnlyDictionary<string, string>? _serverParameters;
    private SessionProgress? _own;
    private SessionProgress? _ambient;
    private ulong _server;
    private bool _isTrial;

    public NodeConnection(RelationalConnectionDependencies dependencies, Node node, Cluster cluster)
        : base(dependencies) =>
        (Node, _cluster) = (node, cluster);

    /// <summary>Gets the node.</summary>
    public Node Node { get; }

    /// <summary>Gets whether a read is under way.</summary>
    public bool IsLeased { get; private set; }

    /// <summary>Gets whether no read is under way, no transaction and no connection open.</summary>
    public bool IsIdle => !IsLeased && CurrentTransaction is null && DbConnection.State == ConnectionState.Closed;

    /// <summary>Gets when the read that is under way began.</summary>
    public Moment LeasedAt { get; private set; }

    /// <summary>Gets whether the connection of the present read could be opened.</summary>
    public bool WasOpened { get; private set; }

    /// <summary>Gets the position that the read under way had to show.</summary>
    public WalPosition LeasedPosition { get; private set; }

    /// <summary>Gets the version of the server, once the connection was opened.</summary>
    public Version ServerVersion => ((NpgsqlConnection)DbConnection).PostgreSqlVersion;

    /// <summary>Gets whether a connection pooler stands between: the next statement may run in another session, even on another server.</summary>
    public bool IsPooled { get; private set; }

    /// <inheritdoc />
    public override string? ConnectionString
    {
        get => Node.DataSource.ConnectionString;
        set => throw new NotSupportedException("The connection string of a node is fixed.");
    }

    // Reads inside an ambient transaction never leave the primary; asking for the transaction on every open would only cost time.
    /// <inheritdoc />
    public override Transaction? CurrentAmbientTransaction => null;

    /// <summary>Begins a read.</summary>
    /// <param name="now">The present moment.</param>
    /// <param name="position">What it must show.</param>
    /// <param name="isTrial">Whether this is the one read that tries the node after its ban.</param>
    /// <param name="commandTimeout">Seconds the read may take; <see langword="null"/> for the data source's default.</param>
    public void Lease(Moment now, WalPosition position, bool isTrial, int? commandTimeout)
    {
        CommandTimeout = commandTimeout;
        (IsLeased, WasOpened, _isTrial, LeasedAt, LeasedPosition) = (true, false, isTrial, now, position);
        (_own, _ambient) = (null, null);
        Node.Enter();
    }

    /// <summary>Notes that the node has begun to answer the read.</summary>
    /// <param name="own">The progress of the context, which the read counts for when it ends; <see langword="null"/> if it does not.</param>
    /// <param name="ambient">The progress of the session around the context; <see langword="null"/> if there is none.</param>
    public void Answered(SessionProgress? own, SessionProgress? ambient)
    {
        (_own, _ambient) = (own, ambient);

        // The application may go on with other contexts of the session before it has read the last row.
        _ambient?.Read(_server, Moment.Now(_cluster.Clock));
        if (_isTrial)
        {
            EndTrial();
            _cluster.Pardon(Node);
        }
    }

    /// <summary>Notes that the read broke after its first row.</summary>
    public void Broke(Exception exception)
    {
        _cluster.Logger.ReadBroke(exception, Node.Name);
        if (ReadFailureClassifier.Classify(exception, wasOpen: true, isPoolFull: false) == ReadFailure.Node)
        {
            _cluster.Ban(Node, NodeError.Describe(exception));
        }
    }

    /// <summary>Closes the connection whatever state a failed or abandoned read has left it in.</summary>
    public void Abandon()
    {
        ((IResettableService)this).ResetState();
        Release();
    }

    /// <summary>Ends the read if it is under way.</summary>
    public void Release()
    {
        if (!IsLeased)
        {
            return;
        }

        IsLeased = false;
        Node.Leave();
        if (_own is not null)
        {
            var now = Moment.Now(_cluster.Clock);
            _own.Read(_server, now);
            _ambient?.Read(_server, now);
        }

        if (_isTrial)
        {
            EndTrial();
        }
    }

    /// <inheritdoc />
    protected override DbConnection CreateDbConnection() => Node.DataSource.CreateConnection();

    /// <inheritdoc />
    public override bool Close()
    {
        var wasClosed = base.Close();
        ReleaseIfClosed();
        return wasClosed;
    }

    /// <inheritdoc />
    public override async Task<bool> CloseAsync()
    {
        var wasClosed = await base.CloseAsync().ConfigureAwait(false);
        ReleaseIfClosed();
        return wasClosed;
    }

    /// <inheritdoc />
    protected override void OpenDbConnection(bool errorsExpected)
    {
        base.OpenDbConnection(errorsExpected);
        var connection = (NpgsqlConnection)DbConnection;
        try
        {
            if (NeedsCheck(connection))
            {
                using var command = CommandOf(ReplicaProbe.Sql, connection);
                using var reader = command.ExecuteReader();
                Judge(reader.Read() ? Sample(reader) : null);
            }

            if (!Node.Traits.SessionsAreReadOnly && !IsPooled)
            {
                using var command = CommandOf(ReadOnlySql, connection);
                command.ExecuteNonQuery();
            }
        }
        catch
        {
            // Left open, it would serve the next read unchecked.
            base.CloseDbConnection();
            throw;
        }

        WasOpened = true;
    }

    /// <inheritdoc />
    protected override Task OpenDbConnectionAsync(bool errorsExpected, CancellationToken cancellationToken)
    {
        var opening = base.OpenDbConnectionAsync(errorsExpected, cancellationToken);
        if (!opening.IsCompletedSuccessfully || !Node.Traits.SessionsAreReadOnly || NeedsCheck((NpgsqlConnection)DbConnection))
        {
            return OpenAndCheckAsync(opening, cancellationToken);
        }

        WasOpened = true;
        return Task.CompletedTask;
    }

    /// <inheritdoc />
    protected override void CloseDbConnection()
    {
        try
        {
            NoticePromotion();
            base.CloseDbConnection();
        }
        finally
        {
            Release();
        }
    }

    /// <inheritdoc />
    protected override async Task CloseDbConnectionAsync()
    {
        try
        {
            NoticePromotion();
            await base.CloseDbConnectionAsync().ConfigureAwait(false);
        }
        finally
        {
            Release();
        }
    }

    // EF does not close a connection that broke, as it is closed already.
    private void ReleaseIfClosed()
    {
        if (DbConnection.State == ConnectionState.Closed)
        {
            Release();
        }
    }

    private bool NeedsCheck(NpgsqlConnection connection)
    {
        _serverParameters = connection.PostgresParameters;
        if (!_checked.TryGetValue(_serverParameters, out var session))
        {
            return true;
        }

        (_server, IsPooled) = (session.Server, session.IsPooled);
        return IsPromoted(_serverParameters) || (_cluster.Picture.Current.Nodes[Node.Ordinal].Sample is { } measured && measured.ServerStart != _server);
    }

    // A pooler makes up the session number that it tells its clients.
    private int? ToldSession()
    {
        try
        {
            return ((NpgsqlConnection)DbConnection).ProcessID;
        }
        catch (InvalidOperationException)
        {
            // With multiplexing the driver itself is the pooler.
            return null;
        }
    }

    // With the timeout of the read: a server that hangs must not hold it up for as long as the data source allows.
    private NpgsqlCommand CommandOf(string sql, NpgsqlConnection connection) => new(sql, connection) { CommandTimeout = CommandTimeout ?? connection.CommandTimeout };

    // A snapshot may be taken on the primary itself.
    private bool IsPromoted(IReadOnlyDictionary<string, string> parameters) =>
        _cluster.Picture.Current.Primary?.Node != Node
        && parameters.TryGetValue("in_hot_standby", out var inHotStandby) && inHotStandby == "off";

    private async Task OpenAndCheckAsync(Task opening, CancellationToken cancellationToken)
    {
        await opening.ConfigureAwait(false);
        try
        {
            await CheckAsync((NpgsqlConnection)DbConnection, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            // Left open, it would serve the next read unchecked.
            await base.CloseDbConnectionAsync().ConfigureAwait(false);
            throw;
        }

        WasOpened = true;
    }

    private async Task CheckAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        if (NeedsCheck(connection))
        {
            var command = CommandOf(ReplicaProbe.Sql, connection);
            await using (command.ConfigureAwait(false))
            {
                var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
                await using (reader.ConfigureAwait(false))
                {
                    Judge(await reader.ReadAsync(cancellationToken).ConfigureAwait(false) ? Sample(reader) : null);
                }
            }
        }

        if (!Node.Traits.SessionsAreReadOnly && !IsPooled)
        {
            var command = CommandOf(ReadOnlySql, connection);
            await using (command.ConfigureAwait(false))
            {
                await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private NodeSample Sample(NpgsqlDataReader reader)
    {
        var now = Moment.Now(_cluster.Clock);
        return ReplicaProbe.ReadSample(reader, now, now);
    }

    private void Judge(NodeSample? sample)
    {
        var snapshot = _cluster.Picture.Current;
        var expected = snapshot.Primary?.Sample?.Identity;
        var reason = sample switch
        {
            null => Freshness.NeverMeasured,
            { Role: NodeRole.Primary } when snapshot.Primary?.Node != Node => Freshness.NotAReplica,
            _ when expected is null => Freshness.PrimaryUnknown,
            _ when !sample.Identity.IsSameDatabaseAs(expected.Value) => Freshness.WrongCluster,
            _ when sample.Identity.Timeline != expected.Value.Timeline => Freshness.WrongTimeline,
            _ when sample.ServerStart != snapshot.Nodes[Node.Ordinal].Sample?.ServerStart => Freshness.AnotherServer,
            _ => Freshness.Fresh,
        };
        if (reason != Freshness.Fresh)
        {
            // The pool may hold more sessions to the same server.
            Node.DataSource.Clear();
            throw new NodeRejectedException(Node.Name, reason);
        }

        (_server, IsPooled) = (sample!.ServerStart, sample.Session != ToldSession());
        _checked.AddOrUpdate(_serverParameters!, new CheckedSession(_server, IsPooled));
    }

    private void EndTrial()
    {
        _isTrial = false;
        Node.EndTrial();
    }

    // Servers from version 14 report the end of recovery with the first answer after it: sooner than any probe.
    private void NoticePromotion()
    {
        if (_serverParameters is not null && IsPromoted(_serverParameters))
        {
            Node.DataSource.Clear();
            _cluster.Ban(Node, "the node was promoted");
        }
    }

    private sealed record CheckedSession(ulong Server, bool IsPooled);
}
