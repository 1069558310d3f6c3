using Microsoft.Extensions.Logging;

namespace EfScaling.Diagnostics;

/// <summary>What the query cache logs. Takes names and reasons, never connection strings, SQL or parameter values.</summary>
internal static partial class QueryCacheLog
{
    [LoggerMessage(EfScalingEventId.CacheStarted, LogLevel.Information, "The query cache in '{Store}' is in use, with keys '{KeyPrefix}*'; after a change of the schema: {IsAgain}.")]
    public static partial void CacheStarted(this ILogger logger, string store, string keyPrefix, bool isAgain);

    [LoggerMessage(EfScalingEventId.CacheNotStarted, LogLevel.Warning, "The query cache in '{Store}' is not in use, and every query runs in the database: {Reason}.")]
    public static partial void CacheNotStarted(this ILogger logger, string store, string reason);

    [LoggerMessage(
        EventId = EfScalingEventId.WriteNotPublished,
        Message = "A write to {Tables} table(s) is committed, but the query cache in '{Store}' could not be told: {Reason}. This process uses no results of them until it has been.")]
    public static partial void WriteNotPublished(this ILogger logger, LogLevel level, string store, int tables, string reason);

    [LoggerMessage(EfScalingEventId.WritePublishedLate, LogLevel.Information, "The query cache in '{Store}' has been told of a write to {Tables} table(s) that it could not be told of before.")]
    public static partial void WritePublishedLate(this ILogger logger, string store, int tables);

    [LoggerMessage(
        EfScalingEventId.AbandonedWritesPublished,
        LogLevel.Warning,
        "{Count} write(s) of processes that died, or lost their way to the query cache in '{Store}', were published in their place.")]
    public static partial void AbandonedWritesPublished(this ILogger logger, string store, int count);

    [LoggerMessage(EfScalingEventId.QueryNotCacheable, LogLevel.Warning, "A query asks for the cache but its result cannot be kept: {Detail}.")]
    public static partial void QueryNotCacheable(this ILogger logger, string detail);

    [LoggerMessage(
        EfScalingEventId.TablesHaveTriggers,
        LogLevel.Warning,
        "Tables with triggers: {Tables}. What their triggers write to other tables makes cached results old without the cache learning of it, unless AddQueryCacheChangeStream(...) tells it.")]
    public static partial void TablesHaveTriggers(this ILogger logger, string tables);

    [LoggerMessage(
        EfScalingEventId.ColumnsNotCacheable,
        LogLevel.Information,
        "Results that hold these columns are not kept by the query cache: {Columns}. Add an ICacheCodec for their types with Codec(...), or leave them out of queries that say Cacheable().")]
    public static partial void ColumnsNotCacheable(this ILogger logger, string columns);

    [LoggerMessage(EfScalingEventId.ServedWhenDown, LogLevel.Warning, "The database '{Primary}' could not be reached, and a query was given a result that was last known to be right {Age:0.000} s ago.")]
    public static partial void ServedWhenDown(this ILogger logger, string primary, double age);
}
