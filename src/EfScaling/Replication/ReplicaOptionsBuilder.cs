using EfScaling.Consistency;
using Npgsql;

namespace EfScaling.Replication;

/// <summary>Sets up read replicas: <c>options.UseNpgsql(primary).UseReadReplicas(r =&gt; r.AddReplica(replica))</c>.</summary>
/// <remarks>Each call returns the same builder. Not thread-safe; used only inside the configuring call.</remarks>
public sealed class ReplicaOptionsBuilder
{
    internal ReplicaOptions Options { get; private set; } = new();

    /// <summary>Adds a replica by its connection string.</summary>
    /// <param name="connectionString">
    /// An Npgsql connection string with one host. Its connections are opened with the provider configuration of the context (enums, plugins, TLS
    /// callbacks, <c>ConfigureDataSource</c>), read-only and outside ambient transactions. 'Maximum Pool Size' in the string wins over <see cref="MaxConnections"/>.
    /// </param>
    /// <param name="region">Region of the replica, compared with <see cref="PreferRegion"/>; <see langword="null"/> for none.</param>
    /// <param name="weight">Share of the reads relative to other replicas; greater than zero, 1 by default.</param>
    /// <exception cref="ArgumentException">The string is empty.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The weight is not a finite number greater than zero.</exception>
    public ReplicaOptionsBuilder AddReplica(string connectionString, string? region = null, double weight = 1)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(connectionString);
        return Add(new ReplicaDefinition(connectionString, null, region, Share(weight)));
    }

    /// <summary>Adds a replica by a data source of the application.</summary>
    /// <param name="dataSource">
    /// A data source over one host, which the application owns and disposes. Build it with <c>Options=-c default_transaction_read_only=on</c>; otherwise
    /// every opening of a connection costs one round trip that sets it.
    /// </param>
    /// <param name="region">Region of the replica, compared with <see cref="PreferRegion"/>; <see langword="null"/> for none.</param>
    /// <param name="weight">Share of the reads relative to other replicas; greater than zero, 1 by default.</param>
    /// <exception cref="ArgumentOutOfRangeException">The weight is not a finite number greater than zero.</exception>
    public ReplicaOptionsBuilder AddReplica(NpgsqlDataSource dataSource, string? region = null, double weight = 1)
    {
        ArgumentNullException.ThrowIfNull(dataSource);
        return Add(new ReplicaDefinition(null, dataSource, region, Share(weight)));
    }

    /// <summary>Sets how old the data of a read may be unless <c>WithMaxStaleness</c> or <c>UseMaxStaleness</c> says otherwise.</summary>
    /// <param name="limit">At least twice the probe interval; 5 seconds by default.</param>
    /// <exception cref="ArgumentOutOfRangeException">The limit is not greater than zero.</exception>
    public ReplicaOptionsBuilder MaxStaleness(TimeSpan limit) => With(Options with { MaxStaleness = Positive(limit) });

    /// <summary>Sends reads to the replicas of a region while one of them can serve.</summary>
    /// <param name="region">The region's name, as given to <c>AddReplica</c>.</param>
    /// <exception cref="ArgumentException">The name is empty.</exception>
    public ReplicaOptionsBuilder PreferRegion(string region)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(region);
        return With(Options with { PreferredRegion = region });
    }

    /// <summary>Gives the cluster a name, by which consistency tokens tell it apart from the other clusters of the application.</summary>
    /// <param name="name">
    /// A short name, the same in every process. Without one, a session that has only used another cluster reads the primary of this one, because its token could as well be of a
    /// cluster that this one has replaced.
    /// </param>
    /// <exception cref="ArgumentException">The name is empty.</exception>
    public ReplicaOptionsBuilder ClusterName(string name)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        return With(Options with { ClusterName = name });
    }

    /// <summary>Sets how one of several suitable replicas is picked; <see cref="LoadBalancing.LeastLoaded"/> by default.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is not defined.</exception>
    public ReplicaOptionsBuilder Balancing(LoadBalancing balancing) => With(Options with { Balancing = Defined(balancing) });

    /// <summary>Sets where queries with tracking run; <see cref="Replication.TrackedReads.ReplicaWhenProtected"/> by default.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is not defined.</exception>
    public ReplicaOptionsBuilder TrackedReads(TrackedReads trackedReads) => With(Options with { TrackedReads = Defined(trackedReads) });

    /// <summary>Sets the time between two probes of a node; staleness is known to this precision.</summary>
    /// <param name="interval">At least 10 milliseconds; 250 milliseconds by default.</param>
    /// <exception cref="ArgumentOutOfRangeException">The interval is shorter than 10 milliseconds or longer than 1,024 seconds.</exception>
    public ReplicaOptionsBuilder ProbeInterval(TimeSpan interval)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(interval, TimeSpan.FromMilliseconds(10));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(interval, LongestTime);
        return With(Options with { ProbeInterval = interval });
    }

    /// <summary>Sets how long a probe may take before its node counts as unreachable; 1 second by default, 1,024 at most.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The time is not greater than zero, or longer than 1,024 seconds.</exception>
    public ReplicaOptionsBuilder ProbeTimeout(TimeSpan timeout)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(timeout, LongestTime);
        return With(Options with { ProbeTimeout = Positive(timeout) });
    }

    /// <summary>Sets how long opening a connection to a replica, or waiting for a free one, may take before the read moves on.</summary>
    /// <param name="timeout">Whole seconds, at least one; 2 seconds by default. Does not apply to data sources of the application.</param>
    /// <exception cref="ArgumentOutOfRangeException">The time is shorter than a second or has a fraction of a second.</exception>
    public ReplicaOptionsBuilder ConnectTimeout(TimeSpan timeout) => With(Options with { ConnectTimeout = WholeSeconds(timeout) });

    /// <summary>Sets how long one replica may take to answer before the read moves on to the next node.</summary>
    /// <param name="timeout">Whole seconds, at least one. By default the whole command timeout of the context.</param>
    /// <remarks>All attempts of a read together still end at the command timeout.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">The time is shorter than a second or has a fraction of a second.</exception>
    public ReplicaOptionsBuilder ReadTimeout(TimeSpan timeout) => With(Options with { ReadTimeout = WholeSeconds(timeout) });

    /// <summary>Sets the largest number of connections of this process to each replica; 50 by default.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The number is less than one.</exception>
    public ReplicaOptionsBuilder MaxConnections(int connections)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(connections, 1);
        return With(Options with { MaxConnections = connections });
    }

    /// <summary>Sets how many reads a second may go to the primary because no replica can serve them; 1,000 by default.</summary>
    /// <param name="readsPerSecond">Zero sends none. Reads beyond it wait up to a second for their turn and then fail with <see cref="NoEligibleNodeException"/>.</param>
    /// <remarks>Reads that follow a write of their own context, transactions and <c>AsPrimary</c> never count: they belong on the primary.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">The number is negative.</exception>
    public ReplicaOptionsBuilder FallbackBudget(int readsPerSecond)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(readsPerSecond);
        return With(Options with { FallbackReadsPerSecond = readsPerSecond });
    }

    /// <summary>Lets the primary take every read that no replica can serve, whatever their number.</summary>
    public ReplicaOptionsBuilder UnlimitedFallback() => With(Options with { FallbackReadsPerSecond = ReplicaOptions.UnlimitedFallback });

    /// <summary>Sets the time in which a replica that has come (back) grows to its full share of the reads; 5 seconds by default, zero for at once.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The time is negative.</exception>
    public ReplicaOptionsBuilder RampUp(TimeSpan time)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(time, TimeSpan.Zero);
        return With(Options with { RampUp = time });
    }

    /// <summary>Sets what a read asks for unless the query or a scope says otherwise; <see cref="ReadContract.Session"/> by default.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is not defined.</exception>
    public ReplicaOptionsBuilder DefaultContract(ReadContract contract) => With(Options with { Contract = Defined(contract) });

    /// <summary>Sets how long a read waits for a replica to catch up with what its session wrote or saw before it goes to the primary.</summary>
    /// <param name="time">Zero or more, 10 seconds at most; 50 milliseconds by default. Zero asks each replica once and does not wait.</param>
    /// <exception cref="ArgumentOutOfRangeException">The time is negative or longer than 10 seconds.</exception>
    public ReplicaOptionsBuilder CatchUpWait(TimeSpan time)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(time, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(time, TimeSpan.FromSeconds(10));
        return With(Options with { CatchUpWait = time });
    }

    // Npgsql takes no longer time-outs than 1,024 seconds.
    private static TimeSpan LongestTime => TimeSpan.FromSeconds(1_024);

    private static TimeSpan Positive(TimeSpan value, [System.Runtime.CompilerServices.CallerArgumentExpression(nameof(value))] string? name = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(value, TimeSpan.Zero, name);
        return value;
    }

    // Npgsql counts these times in seconds: a fraction would be dropped in silence.
    private static TimeSpan WholeSeconds(TimeSpan value, [System.Runtime.CompilerServices.CallerArgumentExpression(nameof(value))] string? name = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(value, TimeSpan.FromSeconds(1), name);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(value, LongestTime, name);
        return value.Ticks % TimeSpan.TicksPerSecond == 0
            ? value
            : throw new ArgumentOutOfRangeException(name, value, "The time must be a whole number of seconds.");
    }

    private static TEnum Defined<TEnum>(TEnum value, [System.Runtime.CompilerServices.CallerArgumentExpression(nameof(value))] string? name = null)
        where TEnum : struct, Enum =>
        Enum.IsDefined(value) ? value : throw new ArgumentOutOfRangeException(name, value, $"The value is not one of {string.Join(", ", Enum.GetNames<TEnum>())}.");

    private static double Share(double weight) =>
        double.IsFinite(weight) && weight > 0
            ? weight
            : throw new ArgumentOutOfRangeException(nameof(weight), weight, "The weight of a replica must be a finite number greater than zero.");

    private ReplicaOptionsBuilder Add(ReplicaDefinition replica) => With(Options with { Replicas = Options.Replicas.Add(replica) });

    private ReplicaOptionsBuilder With(ReplicaOptions options)
    {
        Options = options;
        return this;
    }
}
