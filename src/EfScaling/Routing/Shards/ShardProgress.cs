namespace EfScaling.Routing.Shards;

/// <summary>What is reported while work runs on several shards.</summary>
/// <param name="Shard">The name of the shard.</param>
/// <param name="Step">What has become of it.</param>
/// <param name="Failure">Why it failed; <see langword="null"/> if it did not.</param>
/// <param name="Ended">How many shards have ended, this one included.</param>
/// <param name="Shards">How many there are.</param>
public sealed record ShardProgress(string Shard, ShardStep Step, Exception? Failure, int Ended, int Shards);
