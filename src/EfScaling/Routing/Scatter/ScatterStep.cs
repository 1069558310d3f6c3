namespace EfScaling.Routing.Scatter;

/// <summary>A command of a query over several shards.</summary>
/// <param name="Command">The command that each shard of its rows runs.</param>
/// <param name="Columns">How many columns its rows have.</param>
/// <param name="FollowsOrigin">Whether it joins collected rows on the shards that they came from: it runs on all shards of the query, whatever its own tables say.</param>
/// <param name="Sequence">The order of its rows, if it begins with their shard key and not all of them are wanted.</param>
internal sealed record ScatterStep(RoutedCommand Command, int Columns, bool FollowsOrigin, ShardSequence? Sequence);
