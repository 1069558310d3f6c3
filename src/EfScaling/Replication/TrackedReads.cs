namespace EfScaling.Replication;

/// <summary>Where queries run whose entities the change tracker keeps, and which may thus be written back later.</summary>
public enum TrackedReads
{
    /// <summary>
    /// On a replica if every entity that the query tracks has a concurrency token, so that a change based on a stale read ends in
    /// <see cref="Microsoft.EntityFrameworkCore.DbUpdateConcurrencyException"/> and never overwrites a newer row. Entities without a token get PostgreSQL's
    /// system column <c>xmin</c> as one, by convention; the database schema and migrations stay as they are. The default.
    /// </summary>
    ReplicaWhenProtected,

    /// <summary>On the primary. No concurrency token is added.</summary>
    Primary,

    /// <summary>
    /// On a replica, protected or not, and no concurrency token is added: a change based on a stale read can overwrite a newer row unless the
    /// model has its own concurrency token. For applications that never write what they have read with tracking.
    /// </summary>
    ReplicaUnprotected,
}
