namespace EfScaling.Caching.Redis;

/// <summary>The other side does not speak RESP, or answers something else than it was asked.</summary>
/// <remarks>The connection cannot be used any further: where the next answer starts is unknown.</remarks>
internal sealed class RespException(string message) : Exception(message);
