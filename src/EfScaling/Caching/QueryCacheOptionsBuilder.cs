using EfScaling.Caching.Rows;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Caching.Distributed;

namespace EfScaling.Caching;

/// <summary>Sets up the query cache: <c>options.UseNpgsql(primary).UseQueryCache(c =&gt; c.Redis("localhost:6379"))</c>.</summary>
/// <remarks>Each call returns the same builder. Not thread-safe; used only inside the configuring call.</remarks>
public sealed class QueryCacheOptionsBuilder
{
    private const int LongestPrefix = 64;

    internal QueryCacheOptions Options { get; private set; } = new();

    /// <summary>Keeps results in an <see cref="IDistributedCache"/>: of the application's services, or the given one.</summary>
    /// <param name="cache">The cache; <see langword="null"/> for the one registered with the application's services.</param>
    /// <remarks>
    /// Results are shared by all processes that use it. It reports no changes, so that every hit asks it, and a write of a process that dies right after its
    /// commit is not made good by others.
    /// </remarks>
    public QueryCacheOptionsBuilder DistributedCache(IDistributedCache? cache = null) => With(Options with { Store = CacheStoreSource.Distributed(cache) });

    /// <summary>Keeps results in a store of the application.</summary>
    /// <param name="store">The store, which the application owns.</param>
    public QueryCacheOptionsBuilder Store(ICacheStore store)
    {
        ArgumentNullException.ThrowIfNull(store);
        return With(Options with { Store = CacheStoreSource.Of(store) });
    }

    /// <summary>Sets the first part of every key in the store; <c>efs</c> by default.</summary>
    /// <param name="prefix">Letters, digits, '.', '_' and '-'; at most 64. Applications with different prefixes know nothing of each other's writes.</param>
    /// <exception cref="ArgumentException">The prefix is empty, too long or has other characters.</exception>
    public QueryCacheOptionsBuilder Prefix(string prefix)
    {
        ArgumentException.ThrowIfNullOrEmpty(prefix);
        return prefix.Length <= LongestPrefix && prefix.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-')
            ? With(Options with { Prefix = prefix })
            : throw new ArgumentException($"Prefix('{prefix}') is not a prefix for keys. Give it at most {LongestPrefix} letters, digits, '.', '_' and '-'.", nameof(prefix));
    }

    /// <summary>Sets how long a result is kept unless its query says otherwise.</summary>
    /// <param name="time">More than zero; 5 minutes by default.</param>
    /// <exception cref="ArgumentOutOfRangeException">The time is not greater than zero.</exception>
    public QueryCacheOptionsBuilder TimeToLive(TimeSpan time) => With(Options with { TimeToLive = Positive(time) });

    /// <summary>Keeps the results of all queries that can be cached, except those that say <c>NotCacheable()</c>.</summary>
    /// <param name="timeToLive">How long; more than zero.</param>
    /// <exception cref="ArgumentOutOfRangeException">The time is not greater than zero.</exception>
    public QueryCacheOptionsBuilder CacheAllQueries(TimeSpan timeToLive) => With(Options with { CacheAll = Positive(timeToLive) });

    /// <summary>Limits the memory for results that this process keeps, so that hits need not ask the store.</summary>
    /// <param name="bytes">Zero for none, at least 1 MB otherwise; 64 MB by default.</param>
    /// <exception cref="ArgumentOutOfRangeException">The limit is out of range.</exception>
    public QueryCacheOptionsBuilder LocalMemory(long bytes)
    {
        if (bytes != 0)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(bytes, 1 << 20);
        }

        return With(Options with { LocalBytes = bytes });
    }

    /// <summary>Limits the size of a result that is kept.</summary>
    /// <param name="rows">At least 1; 10,000 by default.</param>
    /// <param name="bytes">At least 1,024; 256 KB by default.</param>
    /// <exception cref="ArgumentOutOfRangeException">A limit is out of range.</exception>
    public QueryCacheOptionsBuilder MaxResult(int rows = 10_000, int bytes = 256 << 10)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rows, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(bytes, 1_024);
        return With(Options with { MaxResultRows = rows, MaxResultBytes = bytes });
    }

    /// <summary>Limits how many contexts of this process load results for the cache at a time, from each database or shard.</summary>
    /// <param name="loads">At least 1. Without this call 4 of 10 connections of the pool ('Maximum Pool Size', 100 by default), and at least 1.</param>
    /// <remarks>
    /// Beyond it a query whose result is missing waits for its turn, for up to a second, and then reads all the same without keeping the result:
    /// <see cref="CacheOutcome.TooManyLoads"/>. What a context loads while it reads the rows of another result needs no turn of its own. Queries that the cache has
    /// no part in are not counted.
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">The limit is less than 1.</exception>
    public QueryCacheOptionsBuilder MaxConcurrentLoads(int loads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(loads, 1);
        return With(Options with { MaxConcurrentLoads = loads });
    }

    /// <summary>Tells the results of contexts apart by more than the query and its parameters: the tenant, the role, whatever row security goes by.</summary>
    /// <param name="scope">
    /// Called for each query that may be cached, with its context. What it returns is part of the key. Tables with row security are cached only if this is set.
    /// </param>
    public QueryCacheOptionsBuilder VaryBy(Func<DbContext, string?> scope)
    {
        ArgumentNullException.ThrowIfNull(scope);
        return With(Options with { VaryBy = scope });
    }

    /// <summary>Keeps results also of queries whose results writes mostly make old before they are used.</summary>
    /// <remarks>
    /// Without this call a query that is asked less than once between two writes has its results kept only when they are asked for a second time before the
    /// next write, and about every 10 seconds besides; each other one would be sent to the store in vain. It never applies to queries with <c>AsExpensive()</c>.
    /// </remarks>
    public QueryCacheOptionsBuilder KeepDespiteWrites() => With(Options with { KeepsDespiteWrites = true });

    /// <summary>Sets what a write does when the store cannot be told of it; <see cref="PublishFailure.Proceed"/> by default.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is not defined.</exception>
    public QueryCacheOptionsBuilder OnPublishFailure(PublishFailure behavior) =>
        Enum.IsDefined(behavior)
            ? With(Options with { OnPublishFailure = behavior })
            : throw new ArgumentOutOfRangeException(nameof(behavior), behavior, "The value is not defined.");

    /// <summary>Sets after how long other processes tell the store of a write whose process died right after its commit.</summary>
    /// <param name="time">From 1 second to 10 minutes; 5 seconds by default.</param>
    /// <exception cref="ArgumentOutOfRangeException">The time is out of range.</exception>
    public QueryCacheOptionsBuilder WriteLease(TimeSpan time)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(time, TimeSpan.FromSeconds(1));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(time, TimeSpan.FromMinutes(10));
        return With(Options with { WriteLease = time });
    }

    /// <summary>Answers cached queries with results that were right a while ago when the database, or the shard, cannot be reached; by default the error is given.</summary>
    /// <param name="maxAge">
    /// How long ago a result must have been known to be right; greater than zero. It counts in place of <c>MaxStaleness</c>; <c>ServeCachedWhenDown</c> of a query
    /// counts in place of it.
    /// </param>
    /// <remarks><inheritdoc cref="Microsoft.EntityFrameworkCore.EfScalingQueryableExtensions.ServeCachedWhenDown" path="/remarks/node()"/></remarks>
    /// <exception cref="ArgumentOutOfRangeException">The time is not greater than zero.</exception>
    public QueryCacheOptionsBuilder ServeCachedWhenDown(TimeSpan maxAge) => With(Options with { WhenDown = Positive(maxAge) });

    /// <summary>Lets results be kept that have values of a type which a plugin of the provider maps.</summary>
    /// <typeparam name="T">The type that EF reads, not nullable.</typeparam>
    /// <param name="name">What the format is called, in all deployments that share a store. A changed format needs a new name.</param>
    /// <param name="codec">Writes and reads the values.</param>
    /// <exception cref="ArgumentException">The name is empty or given twice, or values of the type can be kept without a codec.</exception>
    public QueryCacheOptionsBuilder Codec<T>(string name, ICacheCodec<T> codec)
    {
        // Refused here rather than at the first query.
        _ = Options.Codecs.Aggregate(RowCodecs.Provided, (codecs, c) => c.AddTo(codecs)).With(name, codec);
        return Options.Codecs.Any(c => c.Name == name)
            ? throw new ArgumentException($"Codec('{name}') was called twice. Give each format a name of its own.", nameof(name))
            : With(Options with { Codecs = Options.Codecs.Add(new CodecRegistration(name, typeof(T), codecs => codecs.With(name, codec))) });
    }

    internal QueryCacheOptionsBuilder Use(CacheStoreSource store) => With(Options with { Store = store });

    private QueryCacheOptionsBuilder With(QueryCacheOptions options)
    {
        Options = options;
        return this;
    }

    private static TimeSpan Positive(TimeSpan time)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(time, TimeSpan.Zero);
        return time;
    }
}
