namespace EfScaling.Sample.Sharded;

/// <summary>What the shard of a user knows of the user. Who follows the user is on the shards of the followers.</summary>
internal sealed record UserPage(string Name, int Following, int Posts);
