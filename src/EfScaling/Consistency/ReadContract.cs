namespace EfScaling.Consistency;

/// <summary>What a read asks of the data it gets. The query outweighs the scope around it, that the session, and that the default of the context.</summary>
public enum ReadContract
{
    /// <summary>The read shows what its session wrote, never goes back behind what the session saw, and is at most <c>MaxStaleness</c> old. The default.</summary>
    /// <remarks>The session is the ambient <see cref="ConsistencySession"/>, or the context where there is none.</remarks>
    Session,

    /// <summary>The data is at most <c>MaxStaleness</c> old, whatever the session wrote or saw.</summary>
    MaxStaleness,

    /// <summary>Any replica will do, however old its data.</summary>
    Any,

    /// <summary>The read runs on the primary.</summary>
    Primary,
}
