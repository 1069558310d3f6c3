namespace EfScaling.Caching.Redis;

/// <summary>The kinds of failures of the store, in metrics too.</summary>
internal enum RedisFailureKind
{
    /// <summary>There is no connection, or the server is left alone for a while.</summary>
    NotConnected,

    /// <summary>No answer within the time limit.</summary>
    TimedOut,

    /// <summary>The connection broke.</summary>
    ConnectionLost,

    /// <summary>The password is wrong or missing, or the user lacks a right.</summary>
    Denied,

    /// <summary>The server is a replica.</summary>
    ReadOnly,

    /// <summary>The memory of the server is used up.</summary>
    OutOfMemory,

    /// <summary>The server cannot answer at present: it loads its data, or runs a script that does not end.</summary>
    Busy,

    /// <summary>The server is one of a cluster and does not have the key.</summary>
    Clustered,

    /// <summary>The server refused for another reason.</summary>
    Refused,

    /// <summary>The server does not speak the protocol.</summary>
    Protocol,

    /// <summary>The entry is too large to be sent.</summary>
    TooLarge,
}
