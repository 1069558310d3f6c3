using EfScaling.Caching;
using Npgsql;

namespace EfScaling.Routing.Transactions;

/// <summary>A shard as recovery sees it, which outlives contexts.</summary>
/// <param name="Name">The name of the shard.</param>
/// <param name="Source">Returns what leads to its present primary.</param>
/// <param name="Cache">The query cache of the shard; <see langword="null"/> without one.</param>
internal sealed record RecoveredShard(string Name, Func<NpgsqlDataSource> Source, QueryCache? Cache);
