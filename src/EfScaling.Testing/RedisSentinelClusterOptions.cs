namespace EfScaling.Testing;

/// <summary>What a <see cref="RedisSentinelCluster"/> consists of. Immutable; a value out of range is refused where it is set.</summary>
public sealed record RedisSentinelClusterOptions
{
    /// <summary>Most replicas that a cluster may start with.</summary>
    public const int MaxReplicas = 8;

    private static readonly TimeSpan ShortestTime = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestTime = TimeSpan.FromHours(1);

    private readonly int _replicas = 1;
    private readonly string _serviceName = "mymaster";
    private readonly RedisServerOptions _server = new();
    private readonly string? _sentinelPassword;
    private readonly TimeSpan _downAfter = TimeSpan.FromSeconds(1);
    private readonly TimeSpan _failoverTimeout = TimeSpan.FromSeconds(3);

    /// <summary>Number of replicas of the master, from 1 to <see cref="MaxReplicas"/>. Default 1.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public int Replicas
    {
        get => _replicas;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(value, MaxReplicas);
            _replicas = value;
        }
    }

    /// <summary>Name under which clients ask the sentinels for the master. Default <c>mymaster</c>.</summary>
    /// <exception cref="ArgumentException">The name is empty, or holds other characters than letters, digits, <c>.</c>, <c>-</c> and <c>_</c>.</exception>
    public string ServiceName
    {
        get => _serviceName;
        init
        {
            ArgumentException.ThrowIfNullOrEmpty(value);
            if (!value.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_'))
            {
                throw new ArgumentException($"'{value}' cannot name a service of sentinels: use letters, digits, '.', '-' and '_'.", nameof(value));
            }

            _serviceName = value;
        }
    }

    /// <summary>How each server of data is started: its password, users, TLS and arguments. With TLS, the sentinels speak TLS too.</summary>
    /// <exception cref="ArgumentException"><see cref="RedisServerOptions.ReplicaOf"/> is set: who follows whom is the cluster's own decision.</exception>
    public RedisServerOptions Server
    {
        get => _server;
        init
        {
            ArgumentNullException.ThrowIfNull(value);
            if (value.ReplicaOf is not null)
            {
                throw new ArgumentException("The servers of a cluster follow its own master: remove ReplicaOf from Server.", nameof(value));
            }

            _server = value;
        }
    }

    /// <summary>Password that clients must give to the sentinels; <see langword="null"/>, the default, asks for none.</summary>
    /// <exception cref="ArgumentException">The password is empty, or holds spaces, quotes, backslashes or control characters.</exception>
    public string? SentinelPassword
    {
        get => _sentinelPassword;
        init
        {
            RedisServerOptions.CheckWord(value, "The password of test sentinels", nameof(value));
            _sentinelPassword = value;
        }
    }

    /// <summary>How long a server may be silent before a sentinel takes it for dead, from 100 milliseconds to one hour. Default one second.</summary>
    /// <remarks>Shorter times make failovers quicker, and likelier when the machine is only busy.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public TimeSpan DownAfter
    {
        get => _downAfter;
        init => _downAfter = Checked(value);
    }

    /// <summary>How long a failover may take, from 100 milliseconds to one hour; twice that time passes before a failed one is tried again. Default three seconds.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public TimeSpan FailoverTimeout
    {
        get => _failoverTimeout;
        init => _failoverTimeout = Checked(value);
    }

    private static TimeSpan Checked(TimeSpan value)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(value, ShortestTime);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(value, LongestTime);
        return value;
    }
}
