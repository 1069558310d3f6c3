namespace EfScaling.Projections;

/// <summary>Keeps the views of a projection outside of the database.</summary>
/// <typeparam name="TView">The type of the views.</typeparam>
/// <remarks>
/// <para>
/// A view may be written again, unchanged or newer, and is always whole: keeping the one with the highest version makes every order of calls right. Calls for
/// one key come one after another, with one exception: a process whose connection to the database broke may still be writing while another one has taken
/// over. A store that compares versions and writes in one step is never set back by that.
/// </para>
/// <para>
/// <see cref="System.Text.Json.JsonException"/>, <see cref="NotSupportedException"/> and <see cref="ArgumentException"/> from writing say that the view is at
/// fault, and its key is parked in the end. Every other exception counts as an outage, and the view is written again until it succeeds. Thread-safe.
/// </para>
/// </remarks>
public interface IProjectionStore<TView>
    where TView : class
{
    /// <summary>Returns the view of a key.</summary>
    /// <param name="key">The key, as <see cref="ProjectionKey.Format"/> writes it.</param>
    /// <param name="cancellationToken">Ends the wait for the store.</param>
    /// <returns>The view; <see langword="null"/> if there is none.</returns>
    Task<TView?> FindAsync(string key, CancellationToken cancellationToken = default);

    /// <summary>Writes the view of a key unless a newer one is there.</summary>
    /// <param name="key">The key, as <see cref="ProjectionKey.Format"/> writes it.</param>
    /// <param name="view">The view.</param>
    /// <param name="version">Higher than in every earlier call for the key.</param>
    /// <param name="cancellationToken">Ends the wait for the store.</param>
    Task WriteAsync(string key, TView view, long version, CancellationToken cancellationToken = default);

    /// <summary>Removes the view of a key unless a newer one is there.</summary>
    /// <param name="key">The key, as <see cref="ProjectionKey.Format"/> writes it.</param>
    /// <param name="version">Higher than in every earlier call for the key.</param>
    /// <param name="cancellationToken">Ends the wait for the store.</param>
    Task RemoveAsync(string key, long version, CancellationToken cancellationToken = default);
}
