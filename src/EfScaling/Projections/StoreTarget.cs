using System.Text.Json;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Projections;

/// <summary>Keeps views in a store of the application, such as documents in Redis.</summary>
internal sealed class StoreTarget<TContext, TView, TKey>(
    string name, Func<TView, TKey> keyOf, Func<TContext, TKey, CancellationToken, Task<TView?>> build, Func<IServiceProvider, IProjectionStore<TView>> store)
    : ProjectionTarget<TContext, TKey>
    where TContext : DbContext
    where TView : class
    where TKey : notnull
{
    /// <inheritdoc />
    public override bool IsExternal => true;

    /// <inheritdoc />
    public override KeyPages? AllKeys() => null;

    /// <inheritdoc />
    public override async Task ApplyAsync(TContext context, IServiceProvider services, IReadOnlyList<TKey> keys, long version, CancellationToken cancellationToken)
    {
        var target = store(services);
        foreach (var key in keys)
        {
            var view = ProjectionView.Checked(name, key, await build(context, key, cancellationToken).ConfigureAwait(false), keyOf);
            await PutAsync(target, ProjectionKey.FormatValue(key), view, version, cancellationToken).ConfigureAwait(false);
        }

        // Build may have changed entities on purpose, as one that keeps a table beside the documents does.
        await context.SaveChangesAsync(cancellationToken).ConfigureAwait(false);
    }

    private static async Task PutAsync(IProjectionStore<TView> target, string key, TView? view, long version, CancellationToken cancellationToken)
    {
        try
        {
            await (view is null ? target.RemoveAsync(key, version, cancellationToken) : target.WriteAsync(key, view, version, cancellationToken)).ConfigureAwait(false);
        }
        catch (Exception exception) when (!IsFaultOfView(exception) && !cancellationToken.IsCancellationRequested)
        {
            throw new ProjectionStoreException(exception);
        }
    }

    // A view that cannot be written never will be; everything else is taken for an outage, in which parking every key would be wrong.
    private static bool IsFaultOfView(Exception exception) => exception is JsonException or NotSupportedException or ArgumentException;
}
