namespace EfScaling.Routing.Checks;

/// <summary>What can be found of a shard by <c>CheckShardsAsync</c>. Up to <see cref="MapDiffers"/> they are errors, after it warnings.</summary>
public enum ShardFindingKind
{
    /// <summary>The database cannot be reached, or did not answer.</summary>
    Unreachable,

    /// <summary>The server that is written to is a standby.</summary>
    ReadOnly,

    /// <summary>The encoding of the database is not UTF8, so that text keys have other bytes than those the shard map hashes.</summary>
    WrongEncoding,

    /// <summary>The server is older than PostgreSQL 14.</summary>
    VersionTooOld,

    /// <summary>The server computes another partition hash than this process: its machine is not little-endian.</summary>
    HashDiffers,

    /// <summary>Another shard is the same database.</summary>
    SameDatabase,

    /// <summary>The shard was set up with another shard map.</summary>
    MapDiffers,

    /// <summary>The shard has no record of the shard map that it was set up with.</summary>
    MapNotRecorded,

    /// <summary>A collation has another version than on another shard, so that they may order texts differently.</summary>
    CollationDiffers,

    /// <summary>A collation has changed since the database was created, so that indexes on text may be wrong.</summary>
    CollationOutdated,

    /// <summary>The server keeps no prepared transactions, so that transactions over several shards are refused.</summary>
    NoPreparedTransactions,

    /// <summary>The shard has no table of decisions, so that transactions over several shards are refused.</summary>
    NoDecisions,

    /// <summary>A part of a transaction over several shards has been prepared for more than a minute, where it holds locks.</summary>
    PreparedTooLong,
}
