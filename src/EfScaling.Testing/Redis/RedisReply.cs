namespace EfScaling.Testing.Redis;

/// <summary>What a Redis server answered to one command.</summary>
/// <param name="Text">The value as text, the elements of an array on lines of their own; <see langword="null"/> for a missing value.</param>
/// <param name="IsError">Whether the server refused; <paramref name="Text"/> then says why.</param>
internal readonly record struct RedisReply(string? Text, bool IsError = false);
