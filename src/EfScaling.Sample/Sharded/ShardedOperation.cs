namespace EfScaling.Sample.Sharded;

/// <summary>What a visitor of the sharded feed does.</summary>
internal enum ShardedOperation
{
    /// <summary>Reads a user's page, on the user's shard or from the cache.</summary>
    UserPage,

    /// <summary>Reads a user's own posts, on the user's shard or from the cache.</summary>
    OwnPosts,

    /// <summary>Writes a post on its author's shard.</summary>
    NewPost,

    /// <summary>Likes a post of somebody on the same shard.</summary>
    LikeOnOneShard,

    /// <summary>Likes a post of somebody on another shard.</summary>
    LikeOnTwoShards,

    /// <summary>Counts on all shards who follows a user.</summary>
    Followers,

    /// <summary>Reads the newest posts of everyone whom a user follows, from all shards.</summary>
    Feed,

    /// <summary>Looks for words on all shards.</summary>
    Search,

    /// <summary>Counts everything on all shards, by four queries.</summary>
    Statistics,
}
