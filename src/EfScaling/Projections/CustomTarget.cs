using Microsoft.EntityFrameworkCore;

namespace EfScaling.Projections;

/// <summary>Leaves it to the application what becomes of a changed key.</summary>
internal sealed class CustomTarget<TContext, TKey>(Func<TContext, TKey, CancellationToken, Task> apply) : ProjectionTarget<TContext, TKey>
    where TContext : DbContext
    where TKey : notnull
{
    /// <inheritdoc />
    public override bool IsExternal => true;

    /// <inheritdoc />
    public override KeyPages? AllKeys() => null;

    /// <inheritdoc />
    public override async Task ApplyAsync(TContext context, IServiceProvider services, IReadOnlyList<TKey> keys, long version, CancellationToken cancellationToken)
    {
        foreach (var key in keys)
        {
            await apply(context, key, cancellationToken).ConfigureAwait(false);
        }

        await context.SaveChangesAsync(cancellationToken).ConfigureAwait(false);
    }
}
