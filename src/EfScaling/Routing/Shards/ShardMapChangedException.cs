namespace EfScaling.Routing.Shards;

/// <summary>A shard no longer owned what a command needs there, because the shard map was changed, and the command could not be repeated by itself.</summary>
/// <param name="message">What was attempted, what the shard owns, and what to do.</param>
/// <param name="innerException">What the shard said.</param>
/// <remarks>
/// Nothing of the transaction was committed. The unit of work can be repeated as a whole: with a new transaction, and for contexts that are bound to a shard
/// with a new context for the key. Outside transactions commands are repeated without the application, for as long as the command timeout.
/// </remarks>
public sealed class ShardMapChangedException(string message, Exception? innerException) : InvalidOperationException(message, innerException);
