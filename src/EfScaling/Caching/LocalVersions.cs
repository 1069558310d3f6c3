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
    /// <summary>Of how many versions changes are remembered one by one.</summary>
    public const int MostChanges = 10_000;

    private readonly Lock _lock = new();
    private readonly ConcurrentDictionary<string, Known> _known = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long> _changedAt = new(StringComparer.Ordinal);
    private long _changes;
    private long _allChangedAt;

    /// <summary>Returns the mark to take before a question is asked.</summary>
    public VersionsMark Mark(Moment now) => new(Volatile.Read(ref _changes), now);

    /// <summary>Forgets a version, because it has changed or may have.</summary>
    /// <param name="version">Key of the version; <see langword="null"/> for all.</param>
    public void Forget(string? version)
    {
        lock (_lock)
        {
            _changes++;
            // Of too many all count as changed, which costs each of them one question to the store.
            if (version is null || (_changedAt.Count >= MostChanges && !_changedAt.ContainsKey(version)))
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
    public Moment Learn(IReadOnlyList<string> versions, in CacheReading reading, in VersionsMark mark, Moment now)
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
                    known = new Known(reading.Versions[i], reading.Incarnation, now, mark.TakenAt);
                    if (_allChangedAt <= mark.Changes && (!_changedAt.TryGetValue(key, out var changedAt) || changedAt <= mark.Changes))
                    {
                        _known[key] = known;
                    }
                }
                else if (known.AskedAt < mark.TakenAt)
                {
                    _known[key] = known with { AskedAt = mark.TakenAt };
                }

                since = Moment.Later(since, known.Since);
            }
        }

        return since;
    }

    /// <summary>Returns the stamp of versions that are all known.</summary>
    /// <param name="versions">Their keys.</param>
    /// <param name="timeline">The history of the database.</param>
    /// <param name="askedSince">When the store must have been asked for each of them at the earliest; <see cref="Moment.Never"/> if its reports will do.</param>
    /// <param name="stamp">The stamp.</param>
    /// <returns><see langword="false"/> if one of them is not known.</returns>
    public bool TryStamp(string[] versions, uint timeline, Moment askedSince, out UInt128 stamp)
    {
        var writer = new CacheStamp(stackalloc byte[CacheStamp.SizeOf(versions.Length)]);
        long? incarnation = null;
        foreach (var key in versions)
        {
            if (!_known.TryGetValue(key, out var known) || known.AskedAt < askedSince || (incarnation is { } other && other != known.Incarnation))
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

    private sealed record Known(long Version, long Incarnation, Moment Since, Moment AskedAt);
}
