using EfScaling.Caching.Rows;
using EfScaling.Consistency;

namespace EfScaling.Caching;

/// <summary>A result that the process keeps.</summary>
/// <param name="rows">The result.</param>
/// <param name="stamp">The versions it was read under.</param>
/// <param name="shownBy">A moment by which everything that the result shows was committed.</param>
/// <param name="expiresAt">When it is too old to be used.</param>
/// <param name="proof">When it was known to be right.</param>
/// <remarks>Thread-safe.</remarks>
internal sealed class LocalResult(RowSet rows, UInt128 stamp, Moment shownBy, Moment expiresAt, ResultProof proof)
{
    private long _expiresAt = expiresAt.Timestamp;
    private long _provenAt = proof.At.Timestamp;

    /// <summary>Gets the result.</summary>
    public RowSet Rows => rows;

    /// <summary>Gets the versions it was read under.</summary>
    public UInt128 Stamp => stamp;

    /// <summary>Gets a moment by which everything that the result shows was committed.</summary>
    public Moment ShownBy => shownBy;

    /// <summary>Gets when it is too old to be used.</summary>
    public Moment ExpiresAt => new(Volatile.Read(ref _expiresAt));

    /// <summary>Gets the newest moment at which it was known to be right.</summary>
    public Moment ProvenAt => new(Volatile.Read(ref _provenAt));

    /// <summary>Notes that it was right at a moment.</summary>
    public void Prove(Moment at) => Volatile.Write(ref _provenAt, at.Timestamp);

    /// <summary>Returns whether it is of the present schema and store, and of the present history of the database.</summary>
    public bool IsOf(CacheState state, uint timeline) => ReferenceEquals(proof.State, state) && proof.Timeline == timeline;

    /// <summary>Puts off when it is too old.</summary>
    /// <param name="until">The new moment.</param>
    /// <param name="least">By how much at least, so that not each of many hits does.</param>
    /// <param name="clock">The clock of the moments.</param>
    /// <returns>Whether it was put off, by this caller.</returns>
    public bool TryProlong(Moment until, TimeSpan least, TimeProvider clock)
    {
        var present = ExpiresAt;
        return present.Until(until, clock) >= least && Interlocked.CompareExchange(ref _expiresAt, until.Timestamp, present.Timestamp) == present.Timestamp;
    }
}
