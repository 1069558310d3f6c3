using System.Threading.Channels;

namespace EfScaling.Caching;

/// <summary>What committed writes have made old without the store having been told: each version once, however many writes wait for it.</summary>
/// <remarks>While the store is down it grows with the versions that are written, not with the writes. Thread-safe.</remarks>
internal sealed class UnpublishedWrites
{
    // What is not taken back is published by others when its lease is over, which costs them a query more.
    private const int MostIntents = 1_000;

    private readonly Lock _lock = new();
    private readonly Channel<bool> _added = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private HashSet<string> _versions = new(StringComparer.Ordinal);
    private List<CacheIntent> _intents = [];

    /// <summary>Notes a write.</summary>
    /// <param name="versions">What it has made old.</param>
    /// <param name="intent">What was announced; <see langword="null"/> if nothing was.</param>
    /// <returns>The versions that were noted already: they will be told of for this write, too.</returns>
    public IReadOnlyList<string> Add(IReadOnlyList<string> versions, CacheIntent? intent)
    {
        var known = new List<string>();
        lock (_lock)
        {
            foreach (var version in versions)
            {
                if (!_versions.Add(version))
                {
                    known.Add(version);
                }
            }

            if (intent is not null && _intents.Count < MostIntents)
            {
                _intents.Add(intent);
            }
        }

        _added.Writer.TryWrite(true);
        return known;
    }

    /// <summary>Waits until something is noted.</summary>
    public async ValueTask UntilAddedAsync(CancellationToken cancellationToken) => await _added.Reader.ReadAsync(cancellationToken).ConfigureAwait(false);

    /// <summary>Takes out all that is noted.</summary>
    /// <returns>The versions, and the announcements to be taken back when the store has been told of them.</returns>
    public (string[] Versions, List<CacheIntent> Intents) Take()
    {
        lock (_lock)
        {
            var taken = (_versions.ToArray(), _intents);
            (_versions, _intents) = (new HashSet<string>(StringComparer.Ordinal), []);
            return taken;
        }
    }
}
