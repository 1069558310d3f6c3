namespace EfScaling.Routing;

/// <summary>What a query or scope asks for explicitly.</summary>
internal enum ReadTarget
{
    /// <summary>Nothing: the rules decide.</summary>
    Default,

    /// <summary>The primary, whatever the rules.</summary>
    Primary,

    /// <summary>A replica, although the query could not be proven to only read.</summary>
    Replica,
}
