namespace EfScaling.Sharding;

/// <summary>A value cannot be a shard key, or a shard map has no shard for a key.</summary>
/// <remarks>The message tells types and columns and what to call instead, never the value: keys may be personal data.</remarks>
/// <param name="reason">Why the key is refused.</param>
/// <param name="message">What was asked, and what mends it. Must not contain values of the key.</param>
/// <param name="innerException">What caused it, if anything did.</param>
public sealed class ShardKeyException(ShardKeyRefusal reason, string message, Exception? innerException = null) : Exception(message, innerException)
{
    /// <summary>Gets why the key is refused.</summary>
    public ShardKeyRefusal Reason { get; } = reason;
}
