using System.Globalization;
using System.Security.Cryptography;
using EfScaling.Testing.Processes;

namespace EfScaling.Testing.Redis;

/// <summary>How one Redis server or sentinel is configured, and the files that say so.</summary>
internal sealed class RedisConfiguration(string name, RedisServerOptions options, CertificateAuthority? authority)
{
    /// <summary>User that this package logs in as where a test has users of its own, so that it gets in whatever those may do.</summary>
    public const string Administrator = "efscaling-testing";

    private static readonly string AdministratorPassword = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(12));

    public string Name => name;

    /// <summary>How this package logs in.</summary>
    public RedisLogin Login { get; } = new(
        options.Users.Count > 0 ? Administrator : null,
        options.Users.Count > 0 ? AdministratorPassword : options.Password,
        options.Tls ? authority : null);

    public CertificateAuthority? Authority => authority;

    /// <summary>Lines for the configuration file that no user of this package writes.</summary>
    public IReadOnlyList<string> Directives { get; init; } = [];

    /// <summary>Arguments in front of those of the options.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = options.Arguments;

    public string? Password => options.Password;

    /// <summary>Writes the files and returns the path of the configuration file.</summary>
    /// <remarks>Passwords are in the file, not on the command line, which every user of the machine can read.</remarks>
    public async Task<string> WriteAsync(ServerFolder folder, int port, CancellationToken cancellationToken)
    {
        var work = folder.Combine(name);
        Directory.CreateDirectory(work);
        List<string> lines = [.. Basics(port, work), .. Access(), .. Replication(), .. Directives, ""];
        if (authority is not null)
        {
            var (certificate, key) = authority.Issue();
            lines.Add($"tls-ca-cert-file \"{await SaveAsync("ca.pem", authority.Pem).ConfigureAwait(false)}\"");
            lines.Add($"tls-cert-file \"{await SaveAsync("server.pem", certificate).ConfigureAwait(false)}\"");
            lines.Add($"tls-key-file \"{await SaveAsync("server.key", key).ConfigureAwait(false)}\"");
            lines.Add("tls-auth-clients no\n");
        }

        return await SaveAsync("redis.conf", string.Join('\n', lines)).ConfigureAwait(false);

        async Task<string> SaveAsync(string file, string text)
        {
            var path = Path.Combine(work, file);
            await File.WriteAllTextAsync(path, text, cancellationToken).ConfigureAwait(false);
            return path;
        }
    }

    private IEnumerable<string> Basics(int port, string work) =>
    [
        "bind 127.0.0.1",
        string.Create(CultureInfo.InvariantCulture, $"port {(options.Tls ? 0 : port)}"),
        .. options.Tls ? [string.Create(CultureInfo.InvariantCulture, $"tls-port {port}")] : Array.Empty<string>(),
        $"dir \"{work}\"",
        "daemonize no",
        "save \"\"",
        "appendonly no",
    ];

    private IEnumerable<string> Access() =>
    [
        .. options.Password is { } password ? [$"requirepass {password}"] : Array.Empty<string>(),
        .. options.Users.Select(user => $"user {user}"),
        .. options.Users.Count > 0 ? [$"user {Administrator} on >{AdministratorPassword} ~* &* +@all"] : Array.Empty<string>(),
    ];

    private IEnumerable<string> Replication()
    {
        // Redis waits five seconds for further replicas before it sends the first one its data.
        yield return "repl-diskless-sync yes";
        yield return "repl-diskless-sync-delay 0";

        // Else the data that a replica was sent once would come back when it restarts.
        yield return "rdb-del-sync-files yes";

        // Also on a master, which a failover may turn into a replica.
        var login = options.ReplicaOf?.Login ?? Login;
        if (login.Password is { } password)
        {
            yield return $"masterauth {password}";
        }

        if (login.User is { } user)
        {
            yield return $"masteruser {user}";
        }

        if (login.Authority is not null)
        {
            yield return "tls-replication yes";
        }

        if (options.ReplicaOf is { } master)
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"replicaof {master.Host} {master.Port}");
        }
    }
}
