using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace EfScaling.Routing;

/// <summary>Tells failures after which a write may still be committed, now or later, from those that say it is not.</summary>
internal static class CommitDoubt
{
    private const string StatementCompletionUnknown = "40003";

    /// <summary>Returns whether it is not known what became of a write that failed so.</summary>
    public static bool RemainsAfter(Exception exception) => exception switch
    {
        DbUpdateConcurrencyException => false,
        DbUpdateException { InnerException: { } inner } => RemainsAfter(inner),

        // The server answered. Only one that ends the connection may have ended it behind the commit: one that waits for a standby does.
        PostgresException { SqlState: var state } =>
            state is StatementCompletionUnknown || state.StartsWith("08", StringComparison.Ordinal) || state.StartsWith("57P", StringComparison.Ordinal),

        // Misuse, or the application's own; nothing was sent.
        InvalidOperationException or ArgumentException => false,
        _ => true,
    };
}
