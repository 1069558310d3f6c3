using System.Collections.Frozen;
using System.Collections.Immutable;
using EfScaling.Sharding;
using Npgsql;

namespace EfScaling.Sharding.Catalog;

/// <summary>A change of a shard map while the buckets that it concerns are fenced: nobody reads or writes them, and their rows can be moved.</summary>
/// <remarks>Immutable. Used inside the call that makes the change.</remarks>
public sealed class ShardMapChange
{
    private readonly Func<string, CancellationToken, Task<NpgsqlConnection>> _open;

    internal ShardMapChange(string name, ShardMap from, ShardMap to, CatalogMap before, Func<string, CancellationToken, Task<NpgsqlConnection>> open)
    {
        (Name, From, To, _open) = (name, from, to, open);
        var buckets = ShardMapDifference.BucketsOf(from, to);
        Buckets = buckets;

        // A process that resumes a change of an application's own map does not have the one before: any shard may have had any bucket then.
        var known = before.Ownership.Shards.Keys;
        string[] touched =
        [
            .. (to.BucketCount == 0 || before.Map is null
                ? known.Union(to.Shards, StringComparer.Ordinal)
                : buckets.SelectMany(b => from.ShardsOfBucket(b).Union(to.ShardsOfBucket(b), StringComparer.Ordinal)).Union(known.Except(to.Shards, StringComparer.Ordinal).Union(to.Shards.Except(known, StringComparer.Ordinal)), StringComparer.Ordinal))
                .Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal),
        ];
        Shards = touched;
        var changed = buckets.ToHashSet();
        After = new CatalogMap(
            name,
            to.Version,
            to.Fingerprint,
            ShardMapJson.Write(to) is null ? null : to,
            new MapOwnership(
                [.. Enumerable.Range(0, to.BucketCount).Select(b => changed.Contains(b) ? to.Version : before.Ownership.Buckets[b])],
                to.Shards.ToFrozenDictionary(s => s, s => touched.Contains(s) ? to.Version : before.Ownership.Shards[s], StringComparer.Ordinal)));
    }

    /// <summary>Gets the name of the map; empty for the one without a name.</summary>
    public string Name { get; }

    /// <summary>Gets the map before the change.</summary>
    public ShardMap From { get; }

    /// <summary>Gets the map after the change.</summary>
    public ShardMap To { get; }

    /// <summary>Gets the buckets with keys that have other shards after the change; empty for a map without buckets.</summary>
    public IReadOnlyList<int> Buckets { get; }

    /// <summary>Gets the shards that the change concerns: those that may lose or gain rows.</summary>
    public IReadOnlyList<string> Shards { get; }

    /// <summary>Gets the entry of the catalog after the change.</summary>
    internal CatalogMap After { get; }

    /// <summary>Opens a connection to the primary of a shard, past the guards of the map: for the move of rows alone.</summary>
    /// <param name="shard">One of <see cref="Shards"/>.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    /// <returns>An open connection, which the caller disposes.</returns>
    public Task<NpgsqlConnection> OpenConnectionAsync(string shard, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(shard);
        return _open(shard, cancellationToken);
    }
}
