namespace EfScaling.Testing;

/// <summary>How a <see cref="RedisServer"/> is started. Immutable.</summary>
public sealed record RedisServerOptions
{
    private readonly string? _password;
    private readonly IReadOnlyList<string> _arguments = [];

    /// <summary>Password that clients must give; <see langword="null"/>, the default, asks for none.</summary>
    /// <exception cref="ArgumentException">The password is empty, or holds spaces, quotes, backslashes or control characters.</exception>
    public string? Password
    {
        get => _password;
        init
        {
            if (value is not null && (value.Length == 0 || value.Any(c => c is ' ' or '"' or '\'' or '\\' || char.IsControl(c))))
            {
                throw new ArgumentException("The password of a test Redis must be a word without spaces, quotes and backslashes.", nameof(value));
            }

            _password = value;
        }
    }

    /// <summary>Further command line arguments of <c>redis-server</c>, such as <c>"--maxmemory", "10mb"</c>. They win over the defaults of this package.</summary>
    /// <remarks>
    /// By default nothing is written to disk, so that a restarted server is empty; <c>"--appendonly", "yes"</c> keeps data over a restart.
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
}
