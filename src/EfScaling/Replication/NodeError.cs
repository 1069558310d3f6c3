using Npgsql;

namespace EfScaling.Replication;

/// <summary>Says what went wrong with a node in words fit for logs and messages.</summary>
internal static class NodeError
{
    /// <summary>Returns what the innermost cause says happened ("Connection refused", "28P01: password authentication failed"); no password and no data.</summary>
    public static string Describe(Exception exception) => exception.GetBaseException() switch
    {
        // Its whole message has the detail too, which may quote rows.
        PostgresException postgres => $"{postgres.SqlState}: {postgres.MessageText}",
        var cause => cause.Message,
    };
}
