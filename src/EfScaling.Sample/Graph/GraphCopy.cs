using EfScaling.Sample.Feed;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace EfScaling.Sample.Graph;

/// <summary>Writes people and follows by COPY to wherever a context writes.</summary>
internal static class GraphCopy
{
    /// <summary>Copies people.</summary>
    public static Task<int> UsersAsync(DbContext context, IEnumerable<int> people, CancellationToken cancellationToken) =>
        CopyAsync<User, int>(context, people, (rows, person, stop) => rows.WriteRowAsync(stop, person, $"user {person}"), cancellationToken, nameof(User.Id), nameof(User.Name));

    /// <summary>Copies follows.</summary>
    public static Task<int> FollowsAsync(DbContext context, IEnumerable<(int Follower, int Followed)> follows, CancellationToken cancellationToken) =>
        CopyAsync<Follow, (int Follower, int Followed)>(
            context, follows, (rows, follow, stop) => rows.WriteRowAsync(stop, follow.Follower, follow.Followed), cancellationToken, nameof(Follow.FollowerId), nameof(Follow.FollowedId));

    private static async Task<int> CopyAsync<TEntity, TRow>(
        DbContext context, IEnumerable<TRow> source, Func<NpgsqlBinaryImporter, TRow, CancellationToken, Task> write, CancellationToken cancellationToken, params string[] properties)
    {
        await context.Database.OpenConnectionAsync(cancellationToken);
        try
        {
            var connection = (NpgsqlConnection)context.Database.GetDbConnection();
            await using var rows = await connection.BeginBinaryImportAsync(Copy<TEntity>(context, properties), cancellationToken);
            foreach (var row in source)
            {
                await write(rows, row, cancellationToken);
            }

            return (int)await rows.CompleteAsync(cancellationToken);
        }
        finally
        {
            // A pooled context keeps EF's count of explicit openings: without this, its next user would find the connection open after each command.
            await context.Database.CloseConnectionAsync();
        }
    }

    // The names come from the model, so that renaming a property cannot break the import.
    private static string Copy<TEntity>(DbContext context, string[] properties)
    {
        var entity = context.Model.FindEntityType(typeof(TEntity))!;
        var columns = string.Join(", ", properties.Select(p => $"\"{entity.FindProperty(p)!.GetColumnName()}\""));
        var schema = entity.GetSchema() is { } name ? $"{name}." : string.Empty;
        return $"COPY {schema}\"{entity.GetTableName()}\" ({columns}) FROM STDIN (FORMAT BINARY)";
    }
}
