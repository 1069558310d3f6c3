using EfScaling.Projections;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Waits for the read models of a context, makes them again, and mends what failed.</summary>
public static class ProjectionDatabaseFacadeExtensions
{
    private static readonly TimeSpan _defaultTimeout = TimeSpan.FromSeconds(5);

    /// <summary>Creates the table <c>efscaling.outbox</c> if it is missing, for applications without migrations.</summary>
    /// <param name="database">The context's <c>Database</c>.</param>
    /// <param name="cancellationToken">Ends the wait for the server.</param>
    /// <remarks>Safe to call from many processes at once. Applications with migrations call <c>modelBuilder.AddOutbox()</c> instead.</remarks>
    public static Task EnsureOutboxCreatedAsync(this DatabaseFacade database, CancellationToken cancellationToken = default) =>
        OutboxTable.EnsureCreatedAsync(ContextOf(database), cancellationToken);

    /// <summary>Waits until a read model shows what the context, and the session it runs in, has written.</summary>
    /// <typeparam name="TView">The type of the views.</typeparam>
    /// <param name="database">The context's <c>Database</c>.</param>
    /// <param name="timeout">How long to wait; <see langword="null"/> means 5 s, and zero only asks.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>Whether the read model shows it now.</returns>
    /// <remarks>
    /// Costs nothing when nothing was written, otherwise two round trips to the primary, and further ones while it waits. What others wrote before the session's
    /// own newest write is waited for, too. Keys that wait for a rebuild are not.
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">The time is negative.</exception>
    /// <exception cref="InvalidOperationException">The context has no such projection, or a transaction is open.</exception>
    public static Task<ProjectionWait> WaitForProjectionAsync<TView>(this DatabaseFacade database, TimeSpan? timeout = null, CancellationToken cancellationToken = default)
        where TView : class
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(timeout ?? default, TimeSpan.Zero, nameof(timeout));
        var session = SessionOf(database, nameof(WaitForProjectionAsync));
        return new ProjectionWaiter(ContextOf(database), session, TimeProvider.System).WaitAsync(session.Projections.Of(typeof(TView)), timeout ?? _defaultTimeout, cancellationToken);
    }

    /// <summary>Announces keys whose rows were changed in a way that SaveChanges does not see: ExecuteUpdate, ExecuteDelete, SQL, other programs.</summary>
    /// <typeparam name="TView">The type of the views.</typeparam>
    /// <param name="database">The context's <c>Database</c>. Call it in the transaction of the change, or after its commit.</param>
    /// <param name="keys">The keys of the views.</param>
    /// <param name="cancellationToken">Ends the wait for the server.</param>
    /// <exception cref="ArgumentException">A key has another type than the projection's.</exception>
    /// <exception cref="InvalidOperationException">The context has no such projection, or the outbox is missing.</exception>
    public static async Task EnqueueProjectionAsync<TView>(this DatabaseFacade database, IEnumerable<object> keys, CancellationToken cancellationToken = default)
        where TView : class
    {
        ArgumentNullException.ThrowIfNull(keys);
        var session = SessionOf(database, nameof(EnqueueProjectionAsync));
        object[] all = [.. keys];
        OutboxEntry[] entries = [.. session.Projections.Of(typeof(TView)).SelectMany(p => all.Select(k => new OutboxEntry(p, string.Empty, p.FormatKey(k)))).Distinct()];
        session.Wrote(await OpenAsync(database, c => OutboxTable.InsertAsync(c, entries, cancellationToken), cancellationToken).ConfigureAwait(false));
        if (database.CurrentTransaction is null)
        {
            session.Announce();
        }
    }

    /// <summary>Makes all views again from the rows as they are now, while the application goes on, and removes those that should not be there.</summary>
    /// <typeparam name="TView">The type of the views.</typeparam>
    /// <param name="database">The context's <c>Database</c>.</param>
    /// <param name="cancellationToken">Ends the announcement; what was announced by then is made again.</param>
    /// <returns>How many keys were announced. Dispatchers come to them behind all new changes; <see cref="GetProjectionStatusAsync"/> tells how many are left.</returns>
    /// <remarks>
    /// To be called when a projection is new or is built in another way, once no instance with the earlier version runs. Of views outside of the database, those
    /// whose rows are gone are not found. Waiting changes of sources that the projection does not have are removed: all views are made again.
    /// </remarks>
    /// <exception cref="InvalidOperationException">The context has no such projection, or a transaction is open.</exception>
    public static async Task<long> RebuildProjectionAsync<TView>(this DatabaseFacade database, CancellationToken cancellationToken = default)
        where TView : class
    {
        long announced = 0;
        foreach (var projection in SessionOf(database, nameof(RebuildProjectionAsync)).Projections.Of(typeof(TView)))
        {
            announced += await ProjectionRebuild.RunAsync(ContextOf(database), projection, cancellationToken).ConfigureAwait(false);
        }

        return announced;
    }

    /// <summary>Counts what waits in the outbox for the read models with views of a type.</summary>
    /// <typeparam name="TView">The type of the views.</typeparam>
    /// <param name="database">The context's <c>Database</c>.</param>
    /// <param name="cancellationToken">Ends the wait for the server.</param>
    /// <returns>The counts of each projection.</returns>
    /// <exception cref="InvalidOperationException">The context has no such projection.</exception>
    public static async Task<IReadOnlyList<ProjectionStatus>> GetProjectionStatusAsync<TView>(this DatabaseFacade database, CancellationToken cancellationToken = default)
        where TView : class
    {
        var statuses = new List<ProjectionStatus>();
        foreach (var projection in SessionOf(database, nameof(GetProjectionStatusAsync)).Projections.Of(typeof(TView)))
        {
            statuses.Add(await OpenAsync(database, c => OutboxTable.StatusAsync(c, projection, cancellationToken), cancellationToken).ConfigureAwait(false));
        }

        return statuses;
    }

    /// <summary>Lists the keys that were given up, with the reason of each.</summary>
    /// <typeparam name="TView">The type of the views.</typeparam>
    /// <param name="database">The context's <c>Database</c>.</param>
    /// <param name="limit">How many of each projection at most, those parked first before the others.</param>
    /// <param name="cancellationToken">Ends the wait for the server.</param>
    /// <returns>The keys; empty if none is parked.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The limit is less than 1.</exception>
    /// <exception cref="InvalidOperationException">The context has no such projection.</exception>
    public static async Task<IReadOnlyList<ParkedKey>> GetParkedAsync<TView>(this DatabaseFacade database, int limit = 100, CancellationToken cancellationToken = default)
        where TView : class
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        var parked = new List<ParkedKey>();
        foreach (var projection in SessionOf(database, nameof(GetParkedAsync)).Projections.Of(typeof(TView)))
        {
            parked.AddRange(await OpenAsync(database, c => OutboxTable.ParkedAsync(c, projection.Name, limit, cancellationToken), cancellationToken).ConfigureAwait(false));
        }

        return parked;
    }

    /// <summary>Lets keys that were given up be tried again, as after their cause was mended.</summary>
    /// <typeparam name="TView">The type of the views.</typeparam>
    /// <param name="database">The context's <c>Database</c>.</param>
    /// <param name="keys">The keys, as <see cref="ParkedKey.Key"/> has them; <see langword="null"/> for all.</param>
    /// <param name="cancellationToken">Ends the wait for the server.</param>
    /// <returns>How many rows of the outbox were released.</returns>
    /// <exception cref="InvalidOperationException">The context has no such projection.</exception>
    public static async Task<int> RetryParkedAsync<TView>(this DatabaseFacade database, IEnumerable<string>? keys = null, CancellationToken cancellationToken = default)
        where TView : class
    {
        string[]? chosen = keys is null ? null : [.. keys];
        if (chosen is { Length: 0 })
        {
            return 0;
        }

        var released = 0;
        foreach (var projection in SessionOf(database, nameof(RetryParkedAsync)).Projections.Of(typeof(TView)))
        {
            released += await OpenAsync(database, c => OutboxTable.ReleaseAsync(c, projection.Name, chosen ?? [], cancellationToken), cancellationToken).ConfigureAwait(false);
            projection.Signal.Raise();
        }

        return released;
    }

    private static async Task<T> OpenAsync<T>(DatabaseFacade database, Func<DbContext, Task<T>> work, CancellationToken cancellationToken)
    {
        await database.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return await work(ContextOf(database)).ConfigureAwait(false);
        }
        finally
        {
            await database.CloseConnectionAsync().ConfigureAwait(false);
        }
    }

    private static DbContext ContextOf(DatabaseFacade database) => ((IDatabaseFacadeDependenciesAccessor)database).Context;

    private static OutboxSession SessionOf(DatabaseFacade database, string method) =>
        ((IInfrastructure<IServiceProvider>)database).Instance.GetService(typeof(OutboxSession)) as OutboxSession
        ?? throw new InvalidOperationException($"{method} was called on a context without projections. Call services.AddProjection<...>(...) and get the context from the services.");
}
