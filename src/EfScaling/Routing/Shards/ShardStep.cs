namespace EfScaling.Routing.Shards;

/// <summary>How far the work on one shard has come.</summary>
public enum ShardStep
{
    /// <summary>The work has begun.</summary>
    Started,

    /// <summary>The work is done.</summary>
    Done,

    /// <summary>The work has failed.</summary>
    Failed,
}
