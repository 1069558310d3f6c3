namespace EfScaling.Caching.Redis;

/// <summary>Why an operation was not done.</summary>
/// <param name="Kind">Which kind.</param>
/// <param name="Text">For people; without keys and secrets.</param>
internal sealed record RedisFailure(RedisFailureKind Kind, string Text)
{
    /// <summary>Gets whether the connection is of no use any more, because the server is, or its role is another.</summary>
    public bool EndsConnection { get; init; }

    /// <summary>Gets the kind as the value of a tag.</summary>
    public string Tag { get; } = Kind switch
    {
        RedisFailureKind.NotConnected => "not_connected",
        RedisFailureKind.TimedOut => "timed_out",
        RedisFailureKind.ConnectionLost => "connection_lost",
        RedisFailureKind.Denied => "denied",
        RedisFailureKind.ReadOnly => "read_only",
        RedisFailureKind.OutOfMemory => "out_of_memory",
        RedisFailureKind.Busy => "busy",
        RedisFailureKind.Clustered => "clustered",
        RedisFailureKind.Refused => "refused",
        RedisFailureKind.Protocol => "protocol",
        RedisFailureKind.TooLarge => "too_large",
        _ => throw new ArgumentOutOfRangeException(nameof(Kind)),
    };
}
