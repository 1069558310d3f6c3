using EfScaling.Sample.Feed;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;

namespace EfScaling.Sample.Graph;

/// <summary>Fills the database through the routed contexts: the graph by COPY, the posts by SaveChanges.</summary>
/// <remarks>None of it says "primary" anywhere: whatever is not a LINQ query runs there.</remarks>
internal sealed class FeedLoader(IDbContextFactory<FeedContext> contexts, FriendshipGraph graph)
{
    private const int PostsPerPerson = 4;
    private const int PostsPerSave = 1_000;

    /// <summary>Creates the tables anew in the sample's own schema.</summary>
    public async Task CreateTablesAsync(CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await context.Database.ExecuteSqlRawAsync($"DROP SCHEMA IF EXISTS {FeedContext.Schema} CASCADE", cancellationToken);
        await context.GetService<IRelationalDatabaseCreator>().CreateTablesAsync(cancellationToken);
        context.Add(new Heartbeat());
        await context.SaveChangesAsync(cancellationToken);
    }

    /// <summary>Copies the people and both directions of each friendship.</summary>
    /// <returns>How many follows there are.</returns>
    public async Task<int> CopyGraphAsync(Action<double> progress, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await GraphCopy.UsersAsync(context, Enumerable.Range(0, graph.People), cancellationToken);
        return await GraphCopy.FollowsAsync(context, BothDirections(progress), cancellationToken);
    }

    /// <summary>Writes the first posts of everyone, in turns so that every feed mixes its authors.</summary>
    /// <returns>How many posts there are; their ids run from one.</returns>
    public async Task<int> WritePostsAsync(Action<double> progress, CancellationToken cancellationToken)
    {
        var total = graph.People * PostsPerPerson;
        for (var first = 0; first < total; first += PostsPerSave)
        {
            await using var context = await contexts.CreateDbContextAsync(cancellationToken);
            var count = Math.Min(PostsPerSave, total - first);
            context.AddRange(Enumerable.Range(first, count).Select(i => new Post
            {
                AuthorId = i % graph.People,
                Text = $"post {(i / graph.People) + 1} of user {i % graph.People}",
            }));
            await context.SaveChangesAsync(cancellationToken);
            progress((double)(first + count) / total);
        }

        await using var analyzing = await contexts.CreateDbContextAsync(cancellationToken);
        await analyzing.Database.ExecuteSqlRawAsync("ANALYZE", cancellationToken);
        return total;
    }

    private IEnumerable<(int Follower, int Followed)> BothDirections(Action<double> progress)
    {
        var done = 0;
        foreach (var (a, b) in graph.Friendships)
        {
            yield return (a, b);
            yield return (b, a);
            if (++done % 1_000 == 0)
            {
                progress((double)done / graph.Friendships.Count);
            }
        }
    }
}
