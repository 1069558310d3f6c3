using System.Collections.Concurrent;

namespace EfScaling.Caching.Redis;

/// <summary>The prefixes of the versions that were read, over whichever connection.</summary>
internal sealed class RedisPrefixes
{
    private readonly ConcurrentDictionary<string, bool> _all = new(StringComparer.Ordinal);

    /// <summary>Gets all of them.</summary>
    public IReadOnlyList<string> All => [.. _all.Keys];

    /// <summary>Returns the prefix of a version's key.</summary>
    /// <remarks>
    /// <c>efs:{tag}:v:</c> of <c>efs:{tag}:v:schema.table</c>, so that the entries beside it (<c>efs:{tag}:q:</c>) are not in it; the key itself if nothing
    /// follows. Keys of another form are told apart at their first colon.
    /// </remarks>
    public static ReadOnlySpan<char> Of(string key)
    {
        var tag = key.IndexOf("}:", StringComparison.Ordinal);
        var colon = key.IndexOf(':', tag < 0 ? 0 : tag + 2);
        return colon < 0 ? key : key.AsSpan(0, colon + 1);
    }

    /// <summary>Adds one.</summary>
    public void Add(string prefix) => _all.TryAdd(prefix, true);
}
