using System.Data.Common;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Projections;

/// <summary>Judges what went wrong with a key.</summary>
internal static partial class ProjectionFault
{
    private const int MaxReasonLength = 300;

    /// <summary>Returns whether the surroundings failed and not the key, so that another attempt may succeed by itself however often it failed.</summary>
    public static bool IsTransient(Exception exception)
    {
        for (var cause = exception; cause is not null; cause = cause.InnerException)
        {
            if (cause is ProjectionStoreException or DbException { IsTransient: true } or TimeoutException or IOException or SocketException or OperationCanceledException)
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

    [GeneratedRegex("""(\w*(?:password|passwd|pwd|secret|token|apikey|api_key|accesskey))\s*[=:]\s*("[^"]*"|'[^']*'|[^;,\s]+)""", RegexOptions.IgnoreCase)]
    private static partial Regex Secret();
}
