using System.Data.Common;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Projections;

/// <summary>Judges what went wrong with a key.</summary>
internal static partial class ProjectionFault
{
    private const int MaxReasonLength = 300;

    /// <summary>Returns whether the store of the views or the connection to the database failed, and so not the key.</summary>
    /// <remarks>
    /// Everything else blames the key as long as the database answers. A time-out does, too: a key whose view takes too long to build always would otherwise
    /// hold up all others for ever.
    /// </remarks>
    public static bool IsOutage(Exception exception)
    {
        for (var cause = exception; cause is not null; cause = cause.InnerException)
        {
            if (cause is ProjectionStoreException || (cause is DbException failure && IsOfConnection(failure)))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Returns the cause in words for the outbox: the type and the first line of its message, without what looks like a secret.</summary>
    public static string Describe(Exception exception)
    {
        var cause = exception;
        while (cause is ProjectionStoreException or DbUpdateException && cause.InnerException is { } inner)
        {
            cause = inner;
        }

        // Further lines of a server's message quote rows.
        var line = cause.Message.AsSpan();
        var end = line.IndexOfAny('\r', '\n');
        var text = Secret().Replace($"{cause.GetType().Name}: {(end < 0 ? line : line[..end])}", "$1=***");
        return text.Length <= MaxReasonLength ? text : text[..MaxReasonLength];
    }

    // Connections (08), what a server lacks, connections and disk among it (53), its end (57P), and one that is a standby by now (25006). What breaks
    // on the way to it has no state.
    private static bool IsOfConnection(DbException failure) => failure.SqlState is { } state
        ? state.StartsWith("08", StringComparison.Ordinal) || state.StartsWith("53", StringComparison.Ordinal) || state.StartsWith("57P", StringComparison.Ordinal) || state == "25006"
        : failure.InnerException is IOException or SocketException;

    [GeneratedRegex("""(\w*(?:password|passwd|pwd|secret|token|apikey|api_key|accesskey))\s*[=:]\s*("[^"]*"|'[^']*'|[^;,\s]+)""", RegexOptions.IgnoreCase)]
    private static partial Regex Secret();
}
