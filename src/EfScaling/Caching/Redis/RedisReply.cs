namespace EfScaling.Caching.Redis;

/// <summary>The answer to a command that yields one value.</summary>
/// <param name="Failure">Why there is none; <see langword="null"/> if there is.</param>
/// <param name="IsNull">Whether the server had nothing to say.</param>
/// <param name="Number">The value if it is a number.</param>
internal readonly record struct RedisReply(RedisFailure? Failure, bool IsNull, long Number)
{
    /// <summary>Gets whether it was done, in the form that the cache is told.</summary>
    public CacheAnswer Answer => Failure is null ? CacheAnswer.Done : new CacheAnswer(Failure.Text);
}
