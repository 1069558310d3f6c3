using System.Data.Common;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace EfScaling.Routing.Shards;

/// <summary>Refuses connections to shards whose database has another encoding than UTF8, whose bytes the shard maps hash.</summary>
internal static class ShardEncoding
{
    private const string Required = "UTF8";

    /// <summary>Checks a connection that has just been opened. The server has told its encoding by then, so that this costs nothing.</summary>
    /// <param name="opened">A context's own connection, or one to another shard.</param>
    /// <exception cref="ShardEncodingException">It leads to a shard with another encoding. It is closed again.</exception>
    public static void Check(IRelationalConnection opened)
    {
        if (OtherOf(opened.DbConnection) is { } encoding && ReadRouter.Of(opened).ShardName is { } shard)
        {
            var connection = opened.DbConnection;
            connection.Close();
            throw new ShardEncodingException(shard, connection.Database, encoding);
        }
    }

    /// <summary>Returns the encoding of the database that an open connection leads to; <see langword="null"/> if it is UTF8 or not told.</summary>
    public static string? OtherOf(DbConnection opened) =>
        opened is NpgsqlConnection { PostgresParameters: var told } && told.TryGetValue("server_encoding", out var encoding) && encoding != Required ? encoding : null;

    /// <summary>Checks a connection once it is opened.</summary>
    /// <param name="opening">Opens it.</param>
    /// <param name="connection">The connection.</param>
    /// <inheritdoc cref="Check" path="/exception" />
    public static Task CheckAsync(Task opening, IRelationalConnection connection)
    {
        if (!opening.IsCompletedSuccessfully)
        {
            return AwaitAsync(opening, connection);
        }

        Check(connection);
        return opening;

        static async Task AwaitAsync(Task opening, IRelationalConnection connection)
        {
            await opening.ConfigureAwait(false);
            Check(connection);
        }
    }
}
