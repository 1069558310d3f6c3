using System.Collections.Immutable;
using Microsoft.AspNetCore.Http;

namespace EfScaling.AspNetCore.ShardKeys;

/// <summary>Where requests bring the shard key of a context, and what becomes of those that do not. Immutable.</summary>
internal sealed record RequestKeyOptions
{
    /// <summary>Gets the places, all of which count.</summary>
    public ImmutableArray<RequestKeySource> Sources { get; init; } = [];

    /// <summary>Gets the name of the shard map; <see langword="null"/> for the one without a name.</summary>
    public string? Map { get; init; }

    /// <summary>Gets the status of the answer to a request without a usable key.</summary>
    public int RefusalStatus { get; init; } = StatusCodes.Status400BadRequest;

    /// <summary>Gets whether a request that brings no key gets a context that spans all shards.</summary>
    public bool SpansWithoutKey { get; init; }
}
