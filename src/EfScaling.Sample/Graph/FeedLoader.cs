using EfScaling.Sample.Feed;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

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
        await context.Database.OpenConnectionAsync(cancellationToken);
        var connection = (NpgsqlConnection)context.Database.GetDbConnection();
        await CopyPeopleAsync(connection, Copy<User>(context, nameof(User.Id), nameof(User.Name)), cancellationToken);
        var follows = await CopyFollowsAsync(
            connection, Copy<Follow>(context, nameof(Follow.FollowerId), nameof(Follow.FollowedId)), progress, cancellationToken);

        // A pooled context keeps EF's count of explicit openings: without this, its next user would find the connection open after each command.
        await context.Database.CloseConnectionAsync();
        return follows;
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

    private async Task CopyPeopleAsync(NpgsqlConnection connection, string copy, CancellationToken cancellationToken)
    {
        await using var rows = await connection.BeginBinaryImportAsync(copy, cancellationToken);
        for (var person = 0; person < graph.People; person++)
        {
            await rows.WriteRowAsync(cancellationToken, person, $"user {person}");
        }

        await rows.CompleteAsync(cancellationToken);
    }

    private async Task<int> CopyFollowsAsync(NpgsqlConnection connection, string copy, Action<double> progress, CancellationToken cancellationToken)
    {
        await using var rows = await connection.BeginBinaryImportAsync(copy, cancellationToken);
        var done = 0;
        foreach (var (a, b) in graph.Friendships)
        {
            await rows.WriteRowAsync(cancellationToken, a, b);
            await rows.WriteRowAsync(cancellationToken, b, a);
            if (++done % 1_000 == 0)
            {
                progress((double)done / graph.Friendships.Count);
            }
        }

        return (int)await rows.CompleteAsync(cancellationToken);
    }

    // The names come from the model, so that renaming a property cannot break the import.
    private static string Copy<TEntity>(FeedContext context, params string[] properties)
    {
        var entity = context.Model.FindEntityType(typeof(TEntity))!;
        var columns = string.Join(", ", properties.Select(p => $"\"{entity.FindProperty(p)!.GetColumnName()}\""));
        return $"COPY {entity.GetSchema()}.\"{entity.GetTableName()}\" ({columns}) FROM STDIN (FORMAT BINARY)";
    }
}
