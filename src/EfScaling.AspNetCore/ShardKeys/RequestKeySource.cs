using EfScaling.Sharding;
using Microsoft.AspNetCore.Http;

namespace EfScaling.AspNetCore.ShardKeys;

/// <summary>One place where requests bring their shard key.</summary>
/// <param name="Name">The place, in messages.</param>
/// <param name="Read">
/// Returns a text for each column, null or empty where the request brings none, and several where it brings several; <see langword="null"/> if the place gives whole keys.
/// </param>
/// <param name="ReadKey">Returns the whole key, or <see langword="null"/>.</param>
internal sealed record RequestKeySource(string Name, Func<HttpContext, IEnumerable<string?>[]>? Read, Func<HttpContext, ShardKey?>? ReadKey = null);
