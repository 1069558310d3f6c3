using EfScaling.Consistency;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace EfScaling.Projections;

/// <summary>What one context has written to the outbox.</summary>
/// <param name="projections">The projections of the context.</param>
/// <param name="known">Returns what the context was told to see beside the ambient session.</param>
/// <param name="note">Adds to what the context, and the session around it, must see.</param>
/// <remarks>Not thread-safe, like the context.</remarks>
internal sealed class OutboxSession(ProjectionSet projections, Func<ConsistencyToken> known, Action<ConsistencyToken> note) : IResettableService
{
    private readonly HashSet<Projection> _unannounced = [];
    private ConsistencyToken _own = ConsistencyToken.None;

    /// <summary>Gets the projections of the context.</summary>
    public ProjectionSet Projections => projections;

    /// <summary>Notes rows that were written, though they may not be committed yet.</summary>
    /// <remarks>If they never are, waiting for their number waits for nothing.</remarks>
    public void Wrote(IEnumerable<(string Projection, long Position)> positions)
    {
        foreach (var (name, position) in positions)
        {
            var token = ProjectionPosition.TokenOf(name, position);
            _own = _own.Merge(token);
            note(token);
            _unannounced.UnionWith(projections.All.Where(p => p.Name == name));
        }
    }

    /// <summary>Wakes the dispatchers of this process, now that what was written is committed.</summary>
    public void Announce()
    {
        foreach (var projection in _unannounced)
        {
            projection.Signal.Raise();
        }

        _unannounced.Clear();
    }

    /// <summary>Returns the newest row that the context or the session around it wrote; zero for none, and <see cref="long.MaxValue"/> if nobody knows.</summary>
    public long PositionOf(string projection) =>
        ProjectionPosition.Find(_own.Merge(known()).Merge(ConsistencySession.Current?.Token ?? ConsistencyToken.None), projection);

    /// <inheritdoc />
    public void ResetState()
    {
        _own = ConsistencyToken.None;
        _unannounced.Clear();
    }

    /// <inheritdoc />
    public Task ResetStateAsync(CancellationToken cancellationToken = default)
    {
        ResetState();
        return Task.CompletedTask;
    }
}
