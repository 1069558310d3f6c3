namespace EfScaling.Testing;

/// <summary>How a <see cref="RedisServer"/> is started. Immutable.</summary>
public sealed record RedisServerOptions
{
    private readonly string? _password;
    private readonly IReadOnlyList<string> _arguments = [];
    private readonly IReadOnlyList<string> _users = [];

    /// <summary>Password that clients must give; <see langword="null"/>, the default, asks for none.</summary>
    /// <remarks>It is the password of the user <c>default</c>.</remarks>
    /// <exception cref="ArgumentException">The password is empty, or holds spaces, quotes, backslashes or control characters.</exception>
    public string? Password
    {
        get => _password;
        init
        {
            CheckWord(value, "The password of a test Redis", nameof(value));
            _password = value;
        }
    }

    /// <summary>Whether clients must connect by TLS. Default <see langword="false"/>.</summary>
    /// <remarks>
    /// The server gets a certificate for <c>127.0.0.1</c> and <c>localhost</c>, signed by <see cref="RedisServer.CertificateAuthority"/>, and speaks nothing
    /// else on its port. It asks clients for no certificate. A replica shares the authority of the server that it follows.
    /// </remarks>
    public bool Tls { get; init; }

    /// <summary>Further users, each as the configuration file has it after <c>user</c>, such as <c>"app on &gt;secret ~cache:* +get +set"</c>. Empty by default.</summary>
    /// <remarks><c>"default off"</c> shuts out clients that name no user. <see cref="RedisServer.ExecuteAsync(string[])"/> then still may do everything.</remarks>
    /// <exception cref="ArgumentException">A line is empty or holds control characters.</exception>
    public IReadOnlyList<string> Users
    {
        get => _users;
        init
        {
            ArgumentNullException.ThrowIfNull(value);
            if (value.Any(user => string.IsNullOrWhiteSpace(user) || user.Any(char.IsControl)))
            {
                throw new ArgumentException("A user of a test Redis must be one line such as 'app on >secret ~cache:* +get +set'.", nameof(value));
            }

            _users = [.. value];
        }
    }

    /// <summary>Server to be a replica of; <see langword="null"/>, the default, starts a master.</summary>
    /// <remarks>
    /// It must have been started. <see cref="RedisServer.StartAsync(RedisServerOptions?, CancellationToken)"/> does not wait until the data has arrived; the
    /// reply of <c>ROLE</c> tells.
    /// </remarks>
    public RedisServer? ReplicaOf { get; init; }

    /// <summary>Further command line arguments of <c>redis-server</c>, such as <c>"--maxmemory", "10mb"</c>. They win over the defaults of this package.</summary>
    /// <remarks>
    /// By default nothing is written to disk, so that a restarted server is empty; <c>"--appendonly", "yes"</c> keeps data over a restart. The command
    /// <c>DEBUG</c> needs <c>"--enable-debug-command", "local"</c> since Redis 7.
    /// </remarks>
    /// <exception cref="ArgumentNullException">The list is <see langword="null"/>.</exception>
    public IReadOnlyList<string> Arguments
    {
        get => _arguments;
        init
        {
            ArgumentNullException.ThrowIfNull(value);
            _arguments = [.. value];
        }
    }

    /// <summary>Refuses what a configuration file would not take as one plain word.</summary>
    internal static void CheckWord(string? value, string what, string parameter)
    {
        if (value is not null && (value.Length == 0 || value.Any(c => c is ' ' or '"' or '\'' or '\\' || char.IsControl(c))))
        {
            throw new ArgumentException($"{what} must be a word without spaces, quotes and backslashes.", parameter);
        }
    }
}
