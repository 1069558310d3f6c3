namespace EfScaling.Routing.Scatter;

/// <summary>An order of rows by their shard key, of which a page is wanted: where shards hold ranges of keys, the first shards have all of it, and the others need not be asked.</summary>
/// <param name="Map">The map of the key.</param>
/// <param name="IsDescending">Whether the greatest keys come first.</param>
/// <param name="Page">Which rows are wanted.</param>
internal sealed record ShardSequence(string Map, bool IsDescending, Page Page)
{
    /// <summary>The most rows for which shards are asked one after the other: beyond, all at once are faster.</summary>
    public const int MostRows = 1_000;

    /// <summary>Returns how many rows of the order are enough.</summary>
    /// <param name="parameters">The parameters of the query.</param>
    public long EnoughIn(IReadOnlyDictionary<string, object?> parameters)
    {
        var (offset, limit) = (Page.OffsetIn(parameters), Page.LimitIn(parameters));
        return limit > long.MaxValue - offset ? long.MaxValue : offset + limit;
    }
}
