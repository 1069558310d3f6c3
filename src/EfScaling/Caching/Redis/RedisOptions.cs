using System.Collections.Immutable;
using System.Net.Security;

namespace EfScaling.Caching.Redis;

/// <summary>How a Redis server is reached, and how much patience it is given. Immutable.</summary>
/// <remarks>
/// Redis 6 or later, Valkey, or what speaks RESP3 like them. The user needs the commands HELLO, PING, INFO, CLIENT, MGET, SET, PEXPIRE, EVAL, EVALSHA,
/// and within scripts GET, SET, DEL, EXISTS, INCR, TIME, the HGET, HSET and HDEL of hashes and the ZADD, ZREM and ZRANGEBYSCORE of sorted sets, on all
/// keys that start with the prefix of the cache; and SELECT for another <see cref="Database"/> than 0. Without CLIENT it works, but is not told of changes;
/// without any of the others it is not used, and the log names what is missing.
/// For the documents of a projection it needs HELLO, PING, INFO, EVAL, EVALSHA and the commands HGET, HSET, HDEL, PEXPIRE and PERSIST on keys that start with
/// <c>efs:doc:</c>.
/// </remarks>
public sealed record RedisOptions
{
    /// <summary>The default port of a Redis server.</summary>
    public const int DefaultPort = 6379;

    /// <summary>The default port of a Sentinel.</summary>
    public const int DefaultSentinelPort = 26379;

    private static readonly TimeSpan _shortest = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan _longest = TimeSpan.FromMinutes(10);

    /// <summary>Gets the servers, of which the first that is a master is used; with <see cref="ServiceName"/>, the sentinels that know the master.</summary>
    /// <exception cref="ArgumentException">There is none.</exception>
    public required ImmutableArray<RedisEndpoint> Endpoints
    {
        get;
        init => field = value.IsDefaultOrEmpty ? throw new ArgumentException("The Redis configuration names no server. Add 'host:port' to it.", nameof(value)) : value;
    }

    /// <summary>Gets the name under which the sentinels know the master; <see langword="null"/>, the default, without Sentinel.</summary>
    public string? ServiceName { get; init; }

    /// <summary>Gets the user; <see langword="null"/>, the default, for the user <c>default</c>.</summary>
    public string? User { get; init; }

    /// <summary>Gets the password; <see langword="null"/>, the default, for none. It appears in no message and no log.</summary>
    public string? Password { get; init; }

    /// <summary>Gets the user at the sentinels; <see langword="null"/>, the default, for the user <c>default</c>.</summary>
    public string? SentinelUser { get; init; }

    /// <summary>Gets the password at the sentinels; <see langword="null"/>, the default, for none.</summary>
    public string? SentinelPassword { get; init; }

    /// <summary>Gets whether connections are encrypted, those to sentinels too; not by default.</summary>
    public bool UseTls { get; init; }

    /// <summary>Gets the name that the certificate must carry; <see langword="null"/>, the default, for the host that is connected to.</summary>
    public string? TlsHost { get; init; }

    /// <summary>Gets what judges the certificate of the server in place of the system; <see langword="null"/>, the default, for the system.</summary>
    public RemoteCertificateValidationCallback? CertificateValidation { get; init; }

    /// <summary>Gets the number of the database; 0 by default.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The number is negative.</exception>
    public int Database
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            field = value;
        }
    }

    /// <summary>Gets how long an operation may take before the database is asked instead; 50 milliseconds by default.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The time is shorter than a millisecond or longer than ten minutes.</exception>
    public TimeSpan MaxWait
    {
        get;
        init => field = Limited(value);
    } = TimeSpan.FromMilliseconds(50);

    /// <summary>Gets how long each step of connecting may take; 2 seconds by default.</summary>
    /// <inheritdoc cref="MaxWait" path="/exception"/>
    public TimeSpan ConnectTimeout
    {
        get;
        init => field = Limited(value);
    } = TimeSpan.FromSeconds(2);

    /// <summary>Gets how long the server may be silent before its reports of changes are no longer relied on; 1 second by default. It is asked twice in this time.</summary>
    /// <inheritdoc cref="MaxWait" path="/exception"/>
    public TimeSpan Heartbeat
    {
        get;
        init => field = Limited(value);
    } = TimeSpan.FromSeconds(1);

    /// <summary>Gets after how many operations in a row, sent one after the other, that were not answered within <see cref="MaxWait"/> the server is left alone; 2 by default.</summary>
    /// <remarks>
    /// Operations that wait at the same time count once: one lost packet holds up all of them. Two is the smallest number that tells a pause from an
    /// outage, and each further one costs every caller another <see cref="MaxWait"/>.
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">The number is not greater than zero.</exception>
    public int FailuresToOpen
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(value);
            field = value;
        }
    } = 2;

    /// <summary>Gets how long a server that failed is left alone at first; 1 second by default. The time doubles up to <see cref="MaxOpenTime"/>.</summary>
    /// <inheritdoc cref="MaxWait" path="/exception"/>
    public TimeSpan OpenTime
    {
        get;
        init => field = Limited(value);
    } = TimeSpan.FromSeconds(1);

    /// <summary>Gets how long a server that keeps failing is left alone at most; 5 seconds by default.</summary>
    /// <inheritdoc cref="MaxWait" path="/exception"/>
    public TimeSpan MaxOpenTime
    {
        get;
        init => field = Limited(value);
    } = TimeSpan.FromSeconds(5);

    /// <summary>Gets the size in bytes above which an entry is not kept, because sending it would hold up other operations; 1 MB by default.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The size is not greater than zero.</exception>
    public int MaxEntrySize
    {
        get;
        init
        {
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(value);
            field = value;
        }
    } = 1024 * 1024;

    /// <summary>Reads a configuration as StackExchange.Redis writes it: <c>host:port,password=...,ssl=true,defaultDatabase=0</c>.</summary>
    /// <param name="configuration">
    /// Servers and settings, separated by commas: <c>user</c>, <c>password</c>, <c>ssl</c>, <c>sslHost</c>, <c>defaultDatabase</c>, <c>serviceName</c>,
    /// <c>connectTimeout</c> in milliseconds, and of this library <c>sentinelUser</c>, <c>sentinelPassword</c>, <c>maxWait</c> in milliseconds. Settings
    /// of that library that change how but not where it works (<c>abortConnect</c>, <c>allowAdmin</c>, <c>name</c>, <c>syncTimeout</c> and the like) may
    /// stay in the string and have no effect here.
    /// </param>
    /// <exception cref="ArgumentException">The string names no server, or a setting that is unknown or has no such value. The message does not repeat the value.</exception>
    public static RedisOptions Parse(string configuration)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(configuration);
        return RedisConfigurationString.Parse(configuration);
    }

    /// <inheritdoc />
    public bool Equals(RedisOptions? other) =>
        ReferenceEquals(this, other)
        || (other is not null
            && Endpoints.SequenceEqual(other.Endpoints)
            && (ServiceName, User, Password, SentinelUser, SentinelPassword) == (other.ServiceName, other.User, other.Password, other.SentinelUser, other.SentinelPassword)
            && (UseTls, TlsHost, CertificateValidation, Database) == (other.UseTls, other.TlsHost, other.CertificateValidation, other.Database)
            && (MaxWait, ConnectTimeout, Heartbeat) == (other.MaxWait, other.ConnectTimeout, other.Heartbeat)
            && (FailuresToOpen, OpenTime, MaxOpenTime, MaxEntrySize) == (other.FailuresToOpen, other.OpenTime, other.MaxOpenTime, other.MaxEntrySize));

    /// <inheritdoc />
    public override int GetHashCode() => HashCode.Combine(Endpoints[0], Endpoints.Length, ServiceName, Database);

    /// <summary>Returns where the cache is, without user and password.</summary>
    public override string ToString() =>
        ServiceName is null ? $"redis {string.Join(",", Endpoints)}" : $"redis {ServiceName} of {string.Join(",", Endpoints)}";

    private static TimeSpan Limited(TimeSpan value)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(value, _shortest);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(value, _longest);
        return value;
    }
}
