using System.Text;
using System.Text.RegularExpressions;

namespace EfScaling.Caching.Redis;

/// <summary>Says in words what an error reply of Redis means.</summary>
/// <remarks>
/// The text of the server is not passed on as it is: <c>ERR unknown command 'HELLO', with args beginning with: 'AUTH' ...</c> repeats the password, and
/// others repeat keys.
/// </remarks>
internal static partial class RedisError
{
    private const int LongestQuote = 80;

    /// <summary>Tells whether the server does not know a script.</summary>
    public static bool IsUnknownScript(ReadOnlySpan<byte> error) => error.StartsWith("NOSCRIPT"u8);

    /// <summary>Says that a user may not run commands.</summary>
    public static RedisFailure Denied(IReadOnlyList<string> commands, string? user) => new(
        RedisFailureKind.Denied,
        $"the user '{Name(user)}' may not run {string.Join(", ", commands.Select(c => $"'{c}'"))} (ACL); allow it with ACL SETUSER {Name(user)} {string.Join(' ', commands.Select(c => $"+{c}"))}");

    /// <summary>Reads an error reply.</summary>
    /// <param name="error">The reply, without the byte that starts it.</param>
    /// <param name="command">What was sent.</param>
    /// <param name="user">As whom.</param>
    public static RedisFailure Read(ReadOnlySpan<byte> error, string command, string? user)
    {
        var text = Encoding.UTF8.GetString(error);
        var space = text.IndexOf(' ', StringComparison.Ordinal);
        return (space < 0 ? text : text[..space]) switch
        {
            "NOAUTH" => new(RedisFailureKind.Denied, "the server asks for a password; give one, and a user if the server has users") { EndsConnection = true },
            "WRONGPASS" => new(RedisFailureKind.Denied, $"the server refuses the password of the user '{Name(user)}'; correct user or password") { EndsConnection = true },
            "NOPERM" => Denied(text, command, user),
            "READONLY" => new(RedisFailureKind.ReadOnly, "the server is a read-only replica; name the master, or the sentinels that know it") { EndsConnection = true },
            "OOM" => new(RedisFailureKind.OutOfMemory, "the memory of the server is used up; raise its 'maxmemory', or let it evict with 'maxmemory-policy allkeys-lru'"),
            "LOADING" => new(RedisFailureKind.Busy, "the server loads its data") { EndsConnection = true },
            "MASTERDOWN" => new(RedisFailureKind.ReadOnly, "the server is a replica that has lost its master") { EndsConnection = true },
            "BUSY" => new(RedisFailureKind.Busy, "the server runs a script that does not end; end it with 'SCRIPT KILL'"),
            "MISCONF" => new(RedisFailureKind.Refused, "the server cannot write its data to disk and takes no changes; mend its disk, or set 'stop-writes-on-bgsave-error no'"),
            "MOVED" or "ASK" or "CLUSTERDOWN" or "CROSSSLOT" or "TRYAGAIN" =>
                new(RedisFailureKind.Clustered, "the server is one of several of a cluster and does not have the key; name a Redis that is no cluster, or one of a single shard"),
            "NOPROTO" => new(RedisFailureKind.Protocol, "the server does not speak RESP3; use Redis 6 or later") { EndsConnection = true },
            "ERR" => Other(text, command, user),
            var code => new(RedisFailureKind.Refused, $"the server refused '{command}' with {(Code().IsMatch(code) ? code : "an error without a code")}"),
        };
    }

    private static RedisFailure Other(string text, string command, string? user)
    {
        if (text.StartsWith("ERR unknown command", StringComparison.OrdinalIgnoreCase))
        {
            return new(RedisFailureKind.Refused, $"the server does not know '{command}'; use Redis 6 or later, with that command enabled") { EndsConnection = command == "hello" };
        }

        // Before version 7 scripts wrap the refusal of a command that they hold.
        if (text.Contains("ACL failure", StringComparison.Ordinal) || text.Contains("NOPERM", StringComparison.Ordinal) || text.Contains("run this command", StringComparison.Ordinal))
        {
            return Denied(text, command, user);
        }

        if (text.Contains("without any password configured", StringComparison.Ordinal))
        {
            return new(RedisFailureKind.Denied, "the server knows no password for the user 'default'; remove the password, or name the user") { EndsConnection = true };
        }

        var end = text.AsSpan(4).IndexOfAny("'\"`:@");
        var quote = end < 0 ? text[4..] : text[4..(4 + end)];
        return new(RedisFailureKind.Refused, $"the server refused '{command}': {quote[..Math.Min(quote.Length, LongestQuote)].TrimEnd()}");
    }

    private static RedisFailure Denied(string text, string command, string? user)
    {
        if (text.Contains("key", StringComparison.OrdinalIgnoreCase) && !Permission().IsMatch(text))
        {
            return new(RedisFailureKind.Denied, $"the user '{Name(user)}' may not use the keys of the cache with '{command}' (ACL); allow them with ACL SETUSER {Name(user)} ~<prefix>*");
        }

        // Redis 7 names the command, also one within a script; Redis 6 does not.
        var denied = Permission().Match(text) is { Success: true } match ? match.Groups["command"].Value : command;
        return Denied([denied], user);
    }

    private static string Name(string? user) => user ?? "default";

    [GeneratedRegex("the '(?<command>[a-zA-Z|_-]+)' command")]
    private static partial Regex Permission();

    [GeneratedRegex("^[A-Z]{1,20}$")]
    private static partial Regex Code();
}
