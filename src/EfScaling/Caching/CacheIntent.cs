namespace EfScaling.Caching;

/// <summary>What a writer is about to make old.</summary>
/// <param name="Log">Key under which the writers of one database announce themselves.</param>
/// <param name="Id">Which writer; unique. Announcing it again renews the lease and adds to the versions.</param>
/// <param name="Versions">Keys of the versions that the writer will bump. No key holds a space.</param>
/// <param name="Lease">After which others bump them in the writer's place. More than zero.</param>
public sealed record CacheIntent(string Log, string Id, IReadOnlyList<string> Versions, TimeSpan Lease);
