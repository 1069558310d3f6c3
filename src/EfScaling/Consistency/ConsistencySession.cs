using System.Collections.Immutable;
using EfScaling.Topology;

namespace EfScaling.Consistency;

/// <summary>Makes contexts one after another, or at the same time, see what the others wrote and saw: one user's request, job or message.</summary>
/// <remarks>
/// <para>
/// The session is ambient: it holds for the code that runs between <see cref="Begin"/> and <see cref="Dispose"/>, in the same asynchronous flow, and for
/// every context with read replicas that is used there, whenever it was created. Outside a session each context has one of its own.
/// </para>
/// <para>Thread-safe.</para>
/// </remarks>
public sealed class ConsistencySession : IDisposable
{
    private static readonly AsyncLocal<ConsistencySession?> _current = new();

    private readonly ConsistencySession? _outer;
    private readonly Lock _lock = new();
    private ImmutableArray<(IPositionSource Source, SessionProgress Progress)> _clusters = [];
    private ConsistencyToken _given;

    private ConsistencySession(ConsistencyToken token, ReadContract? contract, ConsistencySession? outer) => (_given, Contract, _outer) = (token, contract, outer);

    /// <summary>Gets the session of the running code; <see langword="null"/> outside any.</summary>
    public static ConsistencySession? Current => _current.Value;

    /// <summary>Gets what reads in the session ask of their data unless the query or a scope of the context says otherwise.</summary>
    /// <value><see langword="null"/> for the default of the context.</value>
    public ReadContract? Contract { get; }

    /// <summary>Gets what is known of the session's writes and reads without asking a server.</summary>
    /// <remarks>A single-row SaveChanges leaves no position behind; <see cref="GetTokenAsync"/> finds one.</remarks>
    public ConsistencyToken Token => Settle((source, progress) => source.SeenSince(progress));

    /// <summary>Begins a session for the running code and what it calls.</summary>
    /// <param name="token">What the user of the session has written and seen before; <see langword="null"/> for nothing.</param>
    /// <param name="contract">What reads in the session ask of their data; <see langword="null"/> for the default of the context.</param>
    /// <returns>The session, to be disposed in the method that began it. Sessions nest without knowing of each other.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The contract is not defined.</exception>
    public static ConsistencySession Begin(ConsistencyToken? token = null, ReadContract? contract = null) =>
        contract is { } given && !Enum.IsDefined(given)
            ? throw new ArgumentOutOfRangeException(nameof(contract), contract, "The value is not defined.")
            : _current.Value = new ConsistencySession(token ?? ConsistencyToken.None, contract, _current.Value);

    /// <summary>Adds what was written and seen elsewhere.</summary>
    /// <param name="token">The token.</param>
    public void Use(ConsistencyToken token)
    {
        ArgumentNullException.ThrowIfNull(token);
        lock (_lock)
        {
            _given = _given.Merge(token);
            foreach (var (source, progress) in _clusters.DistinctBy(c => c.Progress))
            {
                progress.Use(token, Moment.Now(source.Clock));
            }
        }
    }

    /// <summary>Returns the token of all that the session wrote and saw, for the next request, job or message of the same user.</summary>
    /// <param name="cancellationToken">Ends the wait for a server.</param>
    /// <returns>The token. Costs a round trip to the primary if the session wrote something whose position is not known, and nothing otherwise.</returns>
    /// <remarks>When the primary does not answer, the token says that more was written than it knows, and its first read finds out.</remarks>
    public async ValueTask<ConsistencyToken> GetTokenAsync(CancellationToken cancellationToken = default)
    {
        var token = _clusters.IsEmpty ? _given : ConsistencyToken.None;
        foreach (var (source, progress) in _clusters.DistinctBy(c => c.Progress))
        {
            token = token.Merge(progress.Settle(await source.PositionForAsync(progress, cancellationToken).ConfigureAwait(false), source.Identity));
        }

        return token;
    }

    /// <summary>Ends the session.</summary>
    public void Dispose()
    {
        if (_current.Value == this)
        {
            _current.Value = _outer;
        }
    }

    // What the session was given, of clusters that it has not met, too.
    internal ConsistencyToken Given => _given;

    // The token for callers that cannot wait asynchronously.
    internal ConsistencyToken GetToken() => Settle((source, progress) => source.PositionFor(progress));

    // What the session wrote to and saw of one cluster, the same for all sources over its servers.
    internal SessionProgress On(IPositionSource source)
    {
        foreach (var (known, progress) in _clusters)
        {
            if (ReferenceEquals(known, source))
            {
                return progress;
            }
        }

        return Add(source);
    }

    // What the next read of one cluster must show. Contexts with other settings may know the same servers by other names, and one that has not met its
    // primary yet may mean these servers, too.
    internal Demand Demand(IPositionSource source, ServerIdentity identity)
    {
        var own = On(source);
        var demand = own.Demand(identity);
        var isHeld = own.IsHeld;
        foreach (var (other, progress) in _clusters)
        {
            if (!ReferenceEquals(progress, own) && other.Shard == source.Shard && ReferenceEquals(other.Clock, source.Clock)
                && (other.Identity is not { } known || known.SystemId == identity.SystemId))
            {
                demand = demand.Merge(progress.Demand(identity));
                isHeld |= progress.IsHeld;
            }
        }

        // A context of the session keeps a connection open; statements without a transaction are committed on it one by one.
        return isHeld ? demand with { Floor = Moment.Now(source.Clock), HasWritten = true } : demand;
    }

    private ConsistencyToken Settle(Func<IPositionSource, SessionProgress, ServerPosition?> position)
    {
        var token = _clusters.IsEmpty ? _given : ConsistencyToken.None;
        foreach (var (source, progress) in _clusters.DistinctBy(c => c.Progress))
        {
            token = token.Merge(progress.Settle(position(source, progress), source.Identity));
        }

        return token;
    }

    private SessionProgress Add(IPositionSource source)
    {
        lock (_lock)
        {
            if (_clusters.FirstOrDefault(c => ReferenceEquals(c.Source, source)).Progress is { } added)
            {
                return added;
            }

            // Contexts with other settings have another picture of the same servers; what one of them wrote is there for all. Shards may share servers.
            var progress = _clusters.FirstOrDefault(c => c.Source.Shard == source.Shard && c.Source.Servers == source.Servers && ReferenceEquals(c.Source.Clock, source.Clock)).Progress;
            if (progress is null)
            {
                progress = new SessionProgress(source.Shard);
                progress.Use(_given, Moment.Now(source.Clock));
            }

            _clusters = _clusters.Add((source, progress));
            return progress;
        }
    }
}
