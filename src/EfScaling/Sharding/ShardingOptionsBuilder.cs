using System.Text;
using EfScaling.Replication;
using EfScaling.Sharding.Catalog;
using EfScaling.Topology;
using Npgsql;

namespace EfScaling.Sharding;

/// <summary>Sets up sharding: <c>options.UseNpgsql().UseSharding(s =&gt; s.AddShard("a", first).AddShard("b", second))</c>.</summary>
/// <remarks>Each call returns the same builder. Not thread-safe; used only inside the configuring call.</remarks>
public sealed class ShardingOptionsBuilder
{
    // PostgreSQL takes 199 bytes for the name of a prepared transaction, of which the shard's is one part.
    private const int MaxNameBytes = 128;

    internal ShardingOptions Options { get; private set; } = new();

    /// <summary>Adds a shard by the connection string of its primary.</summary>
    /// <param name="name">The shard's name. It stays with the data: maps and ownership speak of it.</param>
    /// <param name="connectionString">An Npgsql connection string. Its connections are opened with the provider configuration of the context.</param>
    /// <param name="replicas">Names the shard's replicas and sets their limits, as <c>UseReadReplicas</c> does for one database; <see langword="null"/> for none.</param>
    /// <exception cref="ArgumentException">The name or the string is empty, or the name is taken or longer than 128 bytes.</exception>
    public ShardingOptionsBuilder AddShard(string name, string connectionString, Action<ReplicaOptionsBuilder>? replicas = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(connectionString);
        return Add(new ShardDefinition(name, connectionString, null, OptionsOf(replicas)));
    }

    /// <summary>Adds a shard by a data source of the application to its primary.</summary>
    /// <param name="name">The shard's name. It stays with the data: maps and ownership speak of it.</param>
    /// <param name="dataSource">A data source that the application owns and disposes.</param>
    /// <param name="replicas">Names the shard's replicas and sets their limits, as <c>UseReadReplicas</c> does for one database; <see langword="null"/> for none.</param>
    /// <exception cref="ArgumentException">The name is empty, taken or longer than 128 bytes.</exception>
    public ShardingOptionsBuilder AddShard(string name, NpgsqlDataSource dataSource, Action<ReplicaOptionsBuilder>? replicas = null)
    {
        ArgumentNullException.ThrowIfNull(dataSource);
        return Add(new ShardDefinition(name, null, dataSource, OptionsOf(replicas)));
    }

    /// <summary>Sets the shard of all entities that are not sharded; the first by default.</summary>
    /// <exception cref="ArgumentException">The name is empty.</exception>
    public ShardingOptionsBuilder DefaultShard(string name)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        return With(Options with { DefaultShard = name });
    }

    /// <summary>Sets how many buckets the keys of a map that is made of the shards are spread over. Never change it once there is data.</summary>
    /// <param name="count">A power of two from 1 to 65,536, several times the number of shards there may ever be; 1,024 by default.</param>
    /// <exception cref="ArgumentOutOfRangeException">The number is no such power.</exception>
    public ShardingOptionsBuilder Buckets(int count) =>
        count is >= 1 and <= HashShardMap.MaxBucketCount && System.Numerics.BitOperations.IsPow2(count)
            ? With(Options with { Buckets = count })
            : throw new ArgumentOutOfRangeException(nameof(count), count, $"Buckets is a power of two from 1 to {HashShardMap.MaxBucketCount}.");

    /// <summary>Sets the number with which this process makes the ids of <c>HasShardedId()</c>, instead of one that it reserves on the default shard.</summary>
    /// <param name="number">From 0 to 127. No two processes that write at a time may have the same, and none that was used within the last minute; those without a number may reserve any, so give one to all or to none.</param>
    /// <exception cref="ArgumentOutOfRangeException">The number is out of range.</exception>
    public ShardingOptionsBuilder GeneratorNumber(int number) =>
        number is >= 0 and < ShardedId.MaxGenerators
            ? With(Options with { GeneratorNumber = number })
            : throw new ArgumentOutOfRangeException(nameof(number), number, $"GeneratorNumber is a number from 0 to {ShardedId.MaxGenerators - 1}.");

    /// <summary>Sets how transactions over several shards are committed.</summary>
    /// <param name="protocol">In two phases by default. <see cref="CommitProtocol.BestEffort"/> is for servers without prepared transactions, and may leave a write on some shards only.</param>
    /// <param name="lockTimeout">
    /// How long a statement of such a transaction waits for a lock, unless the connection has a <c>lock_timeout</c> of its own: from 1 ms to 1 hour, 5 s by default. No server sees a deadlock over
    /// several of them, which ends by this. Each transaction takes up to a fifth more, so that of two the other can go on.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of range.</exception>
    public ShardingOptionsBuilder CommitAcrossShards(CommitProtocol protocol, TimeSpan? lockTimeout = null)
    {
        if (!Enum.IsDefined(protocol))
        {
            throw new ArgumentOutOfRangeException(nameof(protocol), protocol, "CommitAcrossShards takes TwoPhase or BestEffort.");
        }

        var timeout = lockTimeout ?? Options.LockTimeout;
        return timeout >= TimeSpan.FromMilliseconds(1) && timeout <= TimeSpan.FromHours(1)
            ? With(Options with { CommitProtocol = protocol, LockTimeout = timeout })
            : throw new ArgumentOutOfRangeException(nameof(lockTimeout), lockTimeout, "CommitAcrossShards takes a lock timeout from 1 ms to 1 hour.");
    }

    /// <summary>Sets the map by which keys find their shards, instead of buckets that are spread evenly over all shards.</summary>
    /// <param name="create">Makes the map of the names of the shards, in the order in which they were added.</param>
    /// <param name="name">The name by which <c>IsSharded(key, map: name)</c> refers to it; <see langword="null"/> for the one without a name.</param>
    /// <remarks>
    /// Contexts whose options make equal maps share one. In options that are made anew for each context, code that holds variables of the application is called for each, so let it return
    /// a map that is made already. Maps that change while contexts are in use need <c>UseCatalog</c>.
    /// </remarks>
    public ShardingOptionsBuilder UseMap(Func<IReadOnlyList<string>, ShardMap> create, string? name = null)
    {
        ArgumentNullException.ThrowIfNull(create);
        return With(Options with { Maps = Options.Maps.SetItem(name ?? string.Empty, create) });
    }

    /// <summary>Bounds what one query over several shards may take.</summary>
    /// <param name="budget">How many shards, rows, bytes and how much time.</param>
    public ShardingOptionsBuilder ScatterBudget(ScatterBudget budget)
    {
        ArgumentNullException.ThrowIfNull(budget);
        return With(Options with { ScatterBudget = budget });
    }

    /// <summary>Runs queries that the shards cannot answer together on a PostgreSQL with foreign tables over all of them, slowly, instead of refusing them.</summary>
    /// <param name="connectionString">An Npgsql connection string to a database of one host, used for nothing else. It must reach every shard by the host and port that <c>AddShard</c> names.</param>
    /// <remarks>
    /// The tables there are made by <c>Database.CreateFallbackCoordinatorAsync()</c>, and anew after each change of the model. Only queries that would throw a
    /// <c>CrossShardQueryNotSupportedException</c> run there, outside of transactions, and can write nothing; each is told by <c>LastRouting()</c>, a warning and a metric. Not together with <c>UseCatalog</c>.
    /// </remarks>
    /// <exception cref="ArgumentException">The string is empty, cannot be read, or names no or several hosts.</exception>
    public ShardingOptionsBuilder UseFallbackCoordinator(string connectionString)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(connectionString);
        var hosts = NodeEndpoint.Parse(new NpgsqlConnectionStringBuilder(connectionString)).Count;
        return hosts == 1
            ? With(Options with { FallbackCoordinator = new FallbackCoordinatorOptions(connectionString) })
            : throw new ArgumentException($"UseFallbackCoordinator was given a connection string with {hosts} hosts. Name the one server that has the foreign tables.", nameof(connectionString));
    }

    /// <summary>Takes the shard maps from a catalog database, where they can be changed while applications run; shards then check every read and write.</summary>
    /// <param name="connectionString">An Npgsql connection string to the catalog.</param>
    /// <param name="configure">Says how the process keeps up with the catalog; <see langword="null"/> for the defaults.</param>
    /// <remarks>
    /// The catalog is made once by <c>Database.CreateShardCatalogAsync()</c>, whose first maps are those that the options say; from then on the catalog's count.
    /// What runs does not need the catalog, until a map is changed.
    /// </remarks>
    /// <exception cref="ArgumentException">The string is empty.</exception>
    public ShardingOptionsBuilder UseCatalog(string connectionString, Action<ShardCatalogOptionsBuilder>? configure = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(connectionString);
        return UseCatalog(new ShardCatalogOptions { ConnectionString = connectionString }, configure);
    }

    /// <summary>Takes the shard maps from a catalog database, where they can be changed while applications run; shards then check every read and write.</summary>
    /// <param name="dataSource">A data source to the catalog that the application owns and disposes.</param>
    /// <param name="configure">Says how the process keeps up with the catalog; <see langword="null"/> for the defaults.</param>
    /// <inheritdoc cref="UseCatalog(string, Action{ShardCatalogOptionsBuilder}?)" path="/remarks"/>
    public ShardingOptionsBuilder UseCatalog(NpgsqlDataSource dataSource, Action<ShardCatalogOptionsBuilder>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(dataSource);
        return UseCatalog(new ShardCatalogOptions { DataSource = dataSource }, configure);
    }

    private ShardingOptionsBuilder UseCatalog(ShardCatalogOptions options, Action<ShardCatalogOptionsBuilder>? configure)
    {
        var builder = new ShardCatalogOptionsBuilder(options);
        configure?.Invoke(builder);
        return With(Options with { Catalog = builder.Options });
    }

    private static ReplicaOptions? OptionsOf(Action<ReplicaOptionsBuilder>? replicas)
    {
        if (replicas is null)
        {
            return null;
        }

        var builder = new ReplicaOptionsBuilder();
        replicas(builder);
        return builder.Options;
    }

    private ShardingOptionsBuilder Add(ShardDefinition shard)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(shard.Name, "name");
        if (Encoding.UTF8.GetByteCount(shard.Name) > MaxNameBytes)
        {
            throw new ArgumentException($"AddShard was given a name of more than {MaxNameBytes} bytes. Give the shard a shorter one: it is part of the names of prepared transactions.", nameof(shard));
        }

        return Options.Find(shard.Name) is null
            ? With(Options with { Shards = Options.Shards.Add(shard) })
            : throw new ArgumentException($"AddShard was called twice for '{shard.Name}'. Give each shard a name of its own.", nameof(shard));
    }

    private ShardingOptionsBuilder With(ShardingOptions options)
    {
        Options = options;
        return this;
    }
}
