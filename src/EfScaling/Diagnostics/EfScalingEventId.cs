namespace EfScaling.Diagnostics;

/// <summary>The ids of the events that EfScaling logs, in blocks of a hundred for each capability. Ids are added, never renumbered.</summary>
public static class EfScalingEventId
{
    private const int Replication = 720_100;
    private const int Routing = 720_200;
    private const int QueryCache = 720_350;
    private const int Caching = 720_300;
    private const int ChangeStream = 720_500;
    private const int Projections = 720_400;
    private const int Sharding = 720_600;
    private const int ShardCatalog = 720_650;

    /// <summary>A node can serve reads (again).</summary>
    public const int NodeServes = Replication;

    /// <summary>A node cannot serve reads any more, with the reason.</summary>
    public const int NodeDoesNotServe = Replication + 1;

    /// <summary>A probe of a node failed for the first time since it last succeeded.</summary>
    public const int NodeUnreachable = Replication + 2;

    /// <summary>A node belongs to another cluster than the primary and is refused.</summary>
    public const int NodeOfAnotherCluster = Replication + 3;

    /// <summary>A node given as a replica accepts writes and is refused.</summary>
    public const int ReplicaIsWritable = Replication + 4;

    /// <summary>The node the context writes to is in recovery.</summary>
    public const int PrimaryIsReadOnly = Replication + 5;

    /// <summary>Reads failed on a node and it is left alone for a while.</summary>
    public const int NodeBanned = Replication + 6;

    /// <summary>A read succeeded on a node after its ban.</summary>
    public const int NodePardoned = Replication + 7;

    /// <summary>The monitor of a cluster started to probe.</summary>
    public const int MonitorStarted = Replication + 8;

    /// <summary>The monitor of a cluster paused, because nothing reads.</summary>
    public const int MonitorPaused = Replication + 9;

    /// <summary>The primary refused reads that no replica could serve, because the fallback budget was used up.</summary>
    public const int FallbackBudgetUsedUp = Replication + 10;

    /// <summary>The primary did not answer the question how far its log has grown.</summary>
    public const int PositionUnknown = Replication + 11;

    /// <summary>A connection pooler stands in front of a node.</summary>
    public const int NodeBehindPooler = Replication + 12;

    /// <summary>A command was routed.</summary>
    public const int CommandRouted = Routing;

    /// <summary>A read failed on a node before its first row and moved to another.</summary>
    public const int ReadMovedOn = Routing + 1;

    /// <summary>A read failed on a node after its first row.</summary>
    public const int ReadBroke = Routing + 2;

    /// <summary>A consistency token cannot be used for a cluster, so that reads of its session go to the primary.</summary>
    public const int TokenNotUsable = Routing + 3;

    /// <summary>The query cache is in use.</summary>
    public const int CacheStarted = QueryCache;

    /// <summary>The query cache is not in use, because it could not learn what it must know.</summary>
    public const int CacheNotStarted = QueryCache + 1;

    /// <summary>The query cache could not be told of a committed write.</summary>
    public const int WriteNotPublished = QueryCache + 2;

    /// <summary>The query cache was told of a committed write that it could not be told of at once.</summary>
    public const int WritePublishedLate = QueryCache + 3;

    /// <summary>Writes of processes that died were published in their place.</summary>
    public const int AbandonedWritesPublished = QueryCache + 4;

    /// <summary>A query asks for the cache, but its result cannot be kept.</summary>
    public const int QueryNotCacheable = QueryCache + 5;

    /// <summary>Tables have triggers, whose writes the query cache does not see.</summary>
    public const int TablesHaveTriggers = QueryCache + 6;

    /// <summary>Columns of a model have types whose values the query cache cannot keep.</summary>
    public const int ColumnsNotCacheable = QueryCache + 7;

    /// <summary>No server could be asked, and a query was given a result that was right a while ago.</summary>
    public const int ServedWhenDown = QueryCache + 8;

    /// <summary>The cache store is connected for the first time.</summary>
    public const int StoreConnected = Caching;

    /// <summary>The cache store is not used any more, with the reason.</summary>
    public const int StoreUnavailable = Caching + 1;

    /// <summary>The cache store is in use again after an outage.</summary>
    public const int StoreRecovered = Caching + 2;

    /// <summary>The cache store answers but refuses an operation, with the reason; logged once for each reason and connection.</summary>
    public const int StoreRefuses = Caching + 3;
    /// <summary>The changes of a database are read from its write-ahead log.</summary>
    public const int ChangeStreamStarted = ChangeStream;

    /// <summary>Another instance reads the changes; this one takes over when that ends.</summary>
    public const int ChangeStreamWaits = ChangeStream + 1;

    /// <summary>Reading the changes failed and is tried again.</summary>
    public const int ChangeStreamBroke = ChangeStream + 2;

    /// <summary>Changes may have been missed, so everything counts as changed.</summary>
    public const int ChangeStreamGap = ChangeStream + 3;

    /// <summary>The server or the application is not set up for reading the changes.</summary>
    public const int ChangeStreamRefused = ChangeStream + 4;

    /// <summary>The replication slot of the changes makes the server keep more of its log than the limit.</summary>
    public const int ChangeSlotRetainsTooMuch = ChangeStream + 5;

    /// <summary>A publication of all tables was created.</summary>
    public const int ChangePublicationCreated = ChangeStream + 6;

    /// <summary>A change could not be applied to a read model and is tried again.</summary>
    public const int ProjectionFailed = Projections;

    /// <summary>A key of a read model was given up after it failed too often; other keys go on.</summary>
    public const int ProjectionParked = Projections + 1;

    /// <summary>A read model cannot be kept current for a while, because the database or the store of the views fails.</summary>
    public const int ProjectionPaused = Projections + 2;

    /// <summary>A command was routed, on a shard.</summary>
    public const int CommandRoutedOnShard = Sharding;

    /// <summary>A command was refused, because no single shard could run it.</summary>
    public const int CommandRefused = Sharding + 1;

    /// <summary>Two shards are the same database, so that no more commands run on them.</summary>
    public const int ShardsAreSameDatabase = Sharding + 2;

    /// <summary>All but the deciding shard of a transaction over several shards have prepared.</summary>
    public const int ShardsPrepared = Sharding + 3;

    /// <summary>A transaction over several shards is decided: it is committed.</summary>
    public const int ShardsDecided = Sharding + 4;

    /// <summary>A transaction over several shards is committed, and some shards do not show it yet.</summary>
    public const int CommitIsLate = Sharding + 5;

    /// <summary>A part of a transaction over several shards that was left prepared is committed or rolled back.</summary>
    public const int PreparedSettled = Sharding + 6;

    /// <summary>A part of a transaction over several shards has been left prepared for long, where it holds locks and old rows.</summary>
    public const int PreparedTooLong = Sharding + 7;

    /// <summary>The prepared parts of a shard could not be looked for, or its decisions not be cleared.</summary>
    public const int RecoveryFailed = Sharding + 8;

    /// <summary>A query that the shards cannot answer together has run on the fallback coordinator, slowly; logged once for each text of a query.</summary>
    public const int QueryOnCoordinator = Sharding + 9;

    /// <summary>Shard maps of the catalog are in use, for the first time or after a change.</summary>
    public const int ShardMapsLoaded = ShardCatalog;

    /// <summary>The shard catalog does not answer, and the maps that were kept in a file are in use.</summary>
    public const int ShardMapsFromFile = ShardCatalog + 1;

    /// <summary>The shard catalog does not answer; logged once until it does.</summary>
    public const int ShardCatalogUnreachable = ShardCatalog + 2;

    /// <summary>The shard maps of the catalog do not fit to the process, with the reason.</summary>
    public const int ShardMapsRefused = ShardCatalog + 3;

    /// <summary>The shard maps could not be kept in a file.</summary>
    public const int ShardMapsNotKept = ShardCatalog + 4;

    /// <summary>A command was sent to a shard that does not own what it needs, and is repeated.</summary>
    public const int ShardMapWasStale = ShardCatalog + 5;

    /// <summary>A step of a change of a shard map is done.</summary>
    public const int ShardMapChange = ShardCatalog + 6;
}
