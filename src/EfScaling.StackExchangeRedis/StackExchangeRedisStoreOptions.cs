namespace EfScaling.Caching.StackExchangeRedis;

/// <summary>How a <see cref="MultiplexerCacheStore"/> uses its Redis. Immutable.</summary>
public sealed record StackExchangeRedisStoreOptions
{
    private readonly string _keyPrefix = "{efs}:";
    private readonly TimeSpan _maxWait = TimeSpan.FromMilliseconds(50);
    private readonly int _database = -1;

    /// <summary>What every key and channel begins with; <c>{efs}:</c> by default.</summary>
    /// <value>
    /// In a cluster it must hold a hash tag, the part in braces, because versions are read together and must therefore lie in one slot. Applications that share
    /// a Redis but no databases need different ones.
    /// </value>
    /// <exception cref="ArgumentException">The prefix is empty or holds a space.</exception>
    public string KeyPrefix
    {
        get => _keyPrefix;
        init
        {
            if (string.IsNullOrEmpty(value) || value.Contains(' ', StringComparison.Ordinal))
            {
                throw new ArgumentException($"'{value}' cannot be the prefix of the cache's keys. Set '{nameof(KeyPrefix)}' to a word without spaces.", nameof(value));
            }

            _keyPrefix = value;
        }
    }

    /// <summary>How long an asynchronous call may take; 50 ms by default. Then the store answers that it failed.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The time is not positive.</exception>
    public TimeSpan MaxWait
    {
        get => _maxWait;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(value, TimeSpan.Zero);
            _maxWait = value;
        }
    }

    /// <summary>Number of the database in Redis; -1, the default, for the multiplexer's own.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The number is less than -1.</exception>
    public int Database
    {
        get => _database;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, -1);
            _database = value;
        }
    }
}
