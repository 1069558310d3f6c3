using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Projections;

/// <summary>Announces every key of a projection, so that all its views are made again while the application goes on.</summary>
internal static class ProjectionRebuild
{
    private const int PageSize = 1000;

    /// <summary>Announces the keys.</summary>
    /// <returns>How many were announced; those that waited for a rebuild already are not counted.</returns>
    public static async Task<long> RunAsync(DbContext context, Projection projection, CancellationToken cancellationToken)
    {
        await RemoveUnknownAsync(context, projection, cancellationToken).ConfigureAwait(false);
        long announced = 0;
        foreach (var pages in projection.AllKeys(context))
        {
            int read;
            do
            {
                // A page a transaction: a long one would keep the server from clearing away dead rows. In one, because a replica may lack the newest keys.
                (read, var added) = await AnnounceAsync(context, projection, pages, cancellationToken).ConfigureAwait(false);
                announced += added;
            }
            while (read > 0);
        }

        projection.Signal.Raise();
        return announced;
    }

    // Dispatchers leave rows of sources that they do not have to newer instances. When a source was removed there are none, and what it announced is made
    // again with everything else.
    private static Task RemoveUnknownAsync(DbContext context, Projection projection, CancellationToken cancellationToken) =>
        context.Database.CreateExecutionStrategy().ExecuteAsync(
            async token =>
            {
                await context.Database.OpenConnectionAsync(token).ConfigureAwait(false);
                try
                {
                    await OutboxTable.RemoveUnknownAsync(context, projection, token).ConfigureAwait(false);
                }
                finally
                {
                    await context.Database.CloseConnectionAsync().ConfigureAwait(false);
                }
            },
            cancellationToken);

    private static async Task<(int Read, int Added)> AnnounceAsync(DbContext context, Projection projection, KeyPages pages, CancellationToken cancellationToken)
    {
        IReadOnlyList<string>? page = null;
        return await context.Database.CreateExecutionStrategy().ExecuteAsync(
            async token =>
            {
                var transaction = await context.Database.BeginTransactionAsync(token).ConfigureAwait(false);
                await using (transaction.ConfigureAwait(false))
                {
                    // Not read again when the transaction is repeated: the pages have moved on.
                    page ??= await pages.NextAsync(context, PageSize, token).ConfigureAwait(false);
                    var added = page.Count == 0 ? 0 : await OutboxTable.InsertRebuildAsync(context, projection.Name, page, token).ConfigureAwait(false);
                    await transaction.CommitAsync(token).ConfigureAwait(false);
                    return (page.Count, added);
                }
            },
            cancellationToken).ConfigureAwait(false);
    }
}
