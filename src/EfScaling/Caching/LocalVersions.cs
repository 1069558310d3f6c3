using System.Collections.Concurrent;
using EfScaling.Consistency;

namespace EfScaling.Caching;

/// <summary>The versions that this process has read, each until it is told of a change.</summary>
/// <remarks>
/// <para>
/// A report of a change and the answer to a question may arrive in any order. Whoever asks takes a mark first; an answer counts only for versions of which
/// no change was reported since, so that no answer can bring back what a report has already made old.
/// </para>
/// <para>Thread-safe.</para>
/// </remarks>
internal sealed class LocalVersions
{
    private readonly Lock _lock = new();
    private readonly ConcurrentDictionary<string, Known> _known = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long> _changedAt = new(StringComparer.Ordinal);
    private long _changes;
    private long _allChangedAt;

    /// <summary>Gets the mark to take before a question is asked.</summary>
    public long Mark => Volatile.Read(ref _changes);

    /// <summary>Forgets a version, because it has changed or may have.</summary>
    /// <param name="version">Key of the version; <see langword="null"/> for all.</param>
    public void Forget(string? version)
    {
        lock (_lock)
        {
            _changes++;
            if (version is null)
            {
                _allChangedAt = _changes;
                _changedAt.Clear();
                _known.Clear();
            }
            else
            {
                _changedAt[version] = _changes;
                _known.TryRemove(version, out _);
            }
        }
    }

    /// <summary>Takes in an answer of the store.</summary>
    /// <param name="versions">The keys that were asked for.</param>
    /// <param name="reading">The answer.</param>
    /// <param name="mark">The mark from before the question.</param>
    /// <param name="now">A moment after the answer.</param>
    /// <returns>
    /// A moment when every version already was what it is: whatever was published before is committed before it, and whatever is published after it changes a version.
    /// </returns>
    public Moment Learn(IReadOnlyList<string> versions, in CacheReading reading, long mark, Moment now)
    {
        var since = Moment.Never;
        lock (_lock)
        {
            for (var i = 0; i < versions.Count; i++)
            {
                var key = versions[i];
                var known = _known.GetValueOrDefault(key);
                if (known is null || known.Version != reading.Versions[i] || known.Incarnation != reading.Incarnation)
                {
                    known = new Known(reading.Versions[i], reading.Incarnation, now);
                    if (_allChangedAt <= mark && (!_changedAt.TryGetValue(key, out var changedAt) || changedAt <= mark))
                    {
                        _known[key] = known;
                    }
                }

                since = Moment.Later(since, known.Since);
            }
        }

        return since;
    }

    /// <summary>Returns the stamp of versions that are all known.</summary>
    /// <param name="versions">Their keys.</param>
    /// <param name="timeline">The history of the database.</param>
    /// <param name="stamp">The stamp.</param>
    /// <returns><see langword="false"/> if one of them is not known.</returns>
    public bool TryStamp(string[] versions, uint timeline, out UInt128 stamp)
    {
        var writer = new CacheStamp(stackalloc byte[CacheStamp.SizeOf(versions.Length)]);
        long? incarnation = null;
        foreach (var key in versions)
        {
            if (!_known.TryGetValue(key, out var known) || (incarnation is { } other && other != known.Incarnation))
            {
                stamp = default;
                return false;
            }

            incarnation = known.Incarnation;
            writer.Add(known.Version);
        }

        stamp = writer.Complete(incarnation ?? 0, timeline);
        return true;
    }

    private sealed record Known(long Version, long Incarnation, Moment Since);
}
