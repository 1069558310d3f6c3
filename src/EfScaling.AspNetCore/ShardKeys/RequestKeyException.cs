using Microsoft.AspNetCore.Http;

namespace EfScaling.AspNetCore.ShardKeys;

/// <summary>A context of the request's shard was asked for, and the request brings no shard key that can be used.</summary>
/// <remarks>The middleware of <c>UseShardKeys</c> answers it; nothing was sent to any shard. The message names places and types, never values.</remarks>
public sealed class RequestKeyException : BadHttpRequestException
{
    internal RequestKeyException(RequestKeyRefusal reason, string message, int status, Exception? inner = null)
        : base(message, status, inner!) => Reason = reason;

    /// <summary>Gets why the key cannot be used.</summary>
    public RequestKeyRefusal Reason { get; }
}
