namespace EfScaling.Caching;

/// <summary>Keeps results of queries, and the versions of what they were read from.</summary>
/// <remarks>
/// <para>
/// The store is never trusted to be complete or prompt: entries and versions may vanish at any time. It must keep one promise: a version, once bumped, never
/// again reads as it did before, in the same <see cref="CacheReading.Incarnation"/>. A version that is missing is given a value that it never had.
/// </para>
/// <para>
/// No member throws because the store cannot be reached, is too slow or refuses: the answer says so. No member takes longer than the store's own time limit.
/// All members are thread-safe.
/// </para>
/// </remarks>
public interface ICacheStore : IAsyncDisposable
{
    /// <summary>Gets the name of the store in logs, metrics and messages, without secrets; such as <c>redis 10.0.0.7:6379</c>.</summary>
    string Name { get; }

    /// <summary>Gets whether at present every change of a version by anybody is reported to <see cref="Subscribe"/>, at most a moment later.</summary>
    /// <value><see langword="false"/> for stores that report nothing, and while the connection that reports has been silent for too long.</value>
    bool IsReporting { get; }

    /// <summary>Gets why the store is not in use at present; <see langword="null"/> while it is.</summary>
    string? Outage { get; }

    /// <summary>Asks to be told of each change of a version, by whomever.</summary>
    /// <param name="changed">Called with the version's key, or <see langword="null"/> for any number of unnamed changes. Must return at once and not throw.</param>
    void Subscribe(Action<string?> changed);

    /// <summary>Reads versions, and the entry that they judge, as they are at one moment.</summary>
    /// <param name="entry">Key of the entry; <see langword="null"/> for the versions alone.</param>
    /// <param name="versions">Keys of the versions. Missing ones are given values that they never had.</param>
    /// <returns>The reading, in the order of the keys.</returns>
    CacheReading Read(string? entry, IReadOnlyList<string> versions);

    /// <inheritdoc cref="Read" />
    ValueTask<CacheReading> ReadAsync(string? entry, IReadOnlyList<string> versions, CancellationToken cancellationToken);

    /// <summary>Keeps an entry; of several writes the last counts.</summary>
    /// <param name="entry">Key of the entry.</param>
    /// <param name="value">The entry. Not kept by reference.</param>
    /// <param name="timeToLive">How long the entry is kept at most. More than zero.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    ValueTask<CacheAnswer> WriteAsync(string entry, ReadOnlyMemory<byte> value, TimeSpan timeToLive, CancellationToken cancellationToken);

    /// <summary>Starts the time to live of an entry anew. Does nothing if there is no such entry.</summary>
    ValueTask<CacheAnswer> ProlongAsync(string entry, TimeSpan timeToLive, CancellationToken cancellationToken);

    /// <summary>Gives each version a value that it never had, all at one moment, and takes back the intent of the writer.</summary>
    /// <param name="versions">Keys of the versions.</param>
    /// <param name="intent">What <see cref="AnnounceAsync"/> was given; <see langword="null"/> if nothing was announced.</param>
    CacheAnswer Bump(IReadOnlyList<string> versions, CacheIntent? intent);

    /// <inheritdoc cref="Bump" />
    ValueTask<CacheAnswer> BumpAsync(IReadOnlyList<string> versions, CacheIntent? intent, CancellationToken cancellationToken);

    /// <summary>Notes that a writer is about to commit, so that another process can bump its versions if it dies before it has.</summary>
    /// <remarks>A store that cannot keep intents does nothing.</remarks>
    ValueTask<CacheAnswer> AnnounceAsync(CacheIntent intent, CancellationToken cancellationToken);

    /// <summary>Bumps the versions of writers that have not done so themselves within their lease.</summary>
    /// <param name="log">Where the writers announced themselves: <see cref="CacheIntent.Log"/>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>How many writers; zero if the store keeps no intents or cannot be reached.</returns>
    ValueTask<int> RecoverAsync(string log, CancellationToken cancellationToken);

    /// <summary>Takes the right to be the only one who does something.</summary>
    /// <param name="lease">Key of the lease.</param>
    /// <param name="duration">After which it ends by itself. More than zero.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns><see langword="false"/> while another holder has it. <see langword="true"/> if the store cannot tell: it grants a convenience, not a lock.</returns>
    ValueTask<bool> TryLeaseAsync(string lease, TimeSpan duration, CancellationToken cancellationToken);

    /// <summary>Gives a lease back.</summary>
    ValueTask ReleaseAsync(string lease, CancellationToken cancellationToken);
}
