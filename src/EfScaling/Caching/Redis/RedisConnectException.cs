namespace EfScaling.Caching.Redis;

/// <summary>A server cannot be used.</summary>
internal sealed class RedisConnectException(RedisFailure failure, Exception? inner = null) : Exception(failure.Text, inner)
{
    /// <summary>Gets why.</summary>
    public RedisFailure Failure => failure;
}
