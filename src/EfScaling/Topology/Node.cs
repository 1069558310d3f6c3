using Npgsql;

namespace EfScaling.Topology;

/// <summary>One server of a cluster: how it is reached and how busy this process keeps it.</summary>
/// <remarks>Thread-safe. What the server reports about itself is not kept here but in the immutable snapshots of the monitor.</remarks>
internal sealed class Node(
    NodeEndpoint endpoint,
    int ordinal,
    NpgsqlDataSource dataSource,
    NpgsqlDataSource probeSource,
    NodeTraits traits,
    Func<(NpgsqlDataSource DataSource, NpgsqlDataSource ProbeSource)>? withoutSessionOptions = null)
{
    private volatile Sources _sources = new(dataSource, probeSource);
    private int _inFlight;
    private int _trialTaken;

    /// <summary>Gets the name in logs, metrics and messages: host and port.</summary>
    public string Name { get; } = endpoint.ToString();

    /// <summary>Gets where the server listens.</summary>
    public NodeEndpoint Endpoint => endpoint;

    /// <summary>Gets the position of the node in its cluster's list, from zero.</summary>
    public int Ordinal => ordinal;

    /// <summary>Gets the source of the connections that reads use.</summary>
    public NpgsqlDataSource DataSource => _sources.Reads;

    /// <summary>Gets the source of the one connection that the monitor uses.</summary>
    public NpgsqlDataSource ProbeSource => _sources.Probes;

    /// <summary>Gets what the configuration says about the node.</summary>
    public NodeTraits Traits => traits;

    /// <summary>Gets how many reads of this process the node serves at present.</summary>
    public int InFlight => Volatile.Read(ref _inFlight);

    /// <summary>Gets whether every connection that this process may open to the node is in use.</summary>
    public bool IsBusy => InFlight >= traits.MaxConnections;

    /// <summary>Goes on without settings for its sessions if that is what a connection was refused for.</summary>
    /// <remarks>A connection pooler between, which shares its sessions among clients, refuses such settings unless it is told to ignore them.</remarks>
    /// <returns>Whether the next connection may succeed.</returns>
    public bool TryWithoutSessionOptions(PostgresException refusal)
    {
        if (withoutSessionOptions is null
            || refusal.SqlState != PostgresErrorCodes.ProtocolViolation
            || !refusal.MessageText.Contains("options", StringComparison.OrdinalIgnoreCase)
            || _sources.Reads != dataSource)
        {
            return false;
        }

        var (reads, probes) = withoutSessionOptions();
        _sources = new Sources(reads, probes);
        return true;
    }

    /// <summary>Counts a read that is about to start.</summary>
    public void Enter() => Interlocked.Increment(ref _inFlight);

    /// <summary>Counts a read out.</summary>
    public void Leave() => Interlocked.Decrement(ref _inFlight);

    /// <summary>Gets whether a read is trying the node after its ban.</summary>
    public bool IsOnTrial => Volatile.Read(ref _trialTaken) != 0;

    /// <summary>Claims the single read that may try a node whose ban has run out.</summary>
    /// <returns><see langword="false"/> while another read is trying it.</returns>
    public bool TryTakeTrial() => Interlocked.CompareExchange(ref _trialTaken, 1, 0) == 0;

    /// <summary>Ends the trial, whatever its outcome.</summary>
    public void EndTrial() => Volatile.Write(ref _trialTaken, 0);

    /// <inheritdoc />
    public override string ToString() => Name;

    private sealed record Sources(NpgsqlDataSource Reads, NpgsqlDataSource Probes);
}
