namespace EfScaling.Caching.Redis;

/// <summary>The answer to reading a document.</summary>
/// <param name="Failure">Why there is none; <see langword="null"/> if there is.</param>
/// <param name="Value">The document; <see langword="null"/> if the server has none.</param>
internal readonly record struct RedisDocument(RedisFailure? Failure, byte[]? Value);
