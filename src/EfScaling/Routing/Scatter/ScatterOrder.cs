namespace EfScaling.Routing.Scatter;

/// <summary>How the rows of several shards are put in the order that a query asks for.</summary>
internal enum ScatterOrder
{
    /// <summary>Merged as they stream; texts without a collation of their own by their bytes.</summary>
    Bytes,

    /// <summary>Merged as they stream, unless they are in the order of such texts.</summary>
    Server,

    /// <summary>Collected from one shard after the other until there are enough, for an order that begins with the shard key.</summary>
    Sequence,
}
