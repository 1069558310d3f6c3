namespace EfScaling.Caching.Redis;

/// <summary>What the store does at one moment in the server. Without keys each script does nothing, so that connecting can try it.</summary>
/// <remarks>
/// No script starts with <c>#!lua</c>: Redis 6 does not know it. Times are those of the server, so that the clocks of its clients do not matter. A version
/// that is missing or is no number is given the seed of the caller, a random number from 2^40 to 2^52: far from where counting could overflow or lose
/// digits, and so large a choice that a value is not met twice.
/// </remarks>
internal static class RedisScripts
{
    // A bump must not fail where it can be avoided. Without free memory INCR does and DEL does not, and a version that is gone is given a new value by the
    // next reader, which bumps it as well. The same mends keys that hold something else.
    private const string BumpOne =
        """
        local function bump(key, seed)
          local done
          if redis.call('EXISTS', key) == 1 then done = redis.pcall('INCR', key) else done = redis.pcall('SET', key, seed) end
          if type(done) == 'table' and done.err then redis.call('DEL', key) end
        end

        """;

    private const string Now =
        """
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)

        """;

    /// <summary>Returns the versions; gives missing ones the seed. Keys: versions. Argument: seed.</summary>
    public static readonly RedisScript Seed = new(
        """
        local values = {}
        for i, key in ipairs(KEYS) do
          local value = redis.pcall('GET', key)
          if type(value) ~= 'string' or not string.match(value, '^%-?%d+$') then
            redis.call('SET', key, ARGV[1])
            value = ARGV[1]
          end
          values[i] = value
        end
        return values
        """);

    /// <summary>Bumps versions and takes an intent back. Keys: versions, then the log and its versions if there is an intent. Arguments: seed, number of versions, id of the intent.</summary>
    public static readonly RedisScript Bump = new(
        BumpOne
        + """
        if #KEYS == 0 then return 0 end
        local count = tonumber(ARGV[2])
        for i = 1, count do bump(KEYS[i], ARGV[1]) end
        if #KEYS > count then
          redis.call('ZREM', KEYS[count + 1], ARGV[3])
          redis.call('HDEL', KEYS[count + 2], ARGV[3])
        end
        return count
        """);

    /// <summary>Notes an intent, or renews it and adds to it. Keys: the log, its versions. Arguments: id, lease in milliseconds, versions.</summary>
    public static readonly RedisScript Announce = new(
        """
        if #KEYS == 0 then return 0 end

        """
        + Now
        + """
        local known, list = {}, {}
        local function add(version)
          if not known[version] then
            known[version] = true
            list[#list + 1] = version
          end
        end
        for version in string.gmatch(redis.call('HGET', KEYS[2], ARGV[1]) or '', '%S+') do add(version) end
        for i = 3, #ARGV do add(ARGV[i]) end
        redis.call('HSET', KEYS[2], ARGV[1], table.concat(list, ' '))
        redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[2]), ARGV[1])
        return #list
        """);

    /// <summary>Bumps the versions of overdue intents. Keys: the log, its versions. Arguments: seed, most intents. Returns how many.</summary>
    /// <remarks>The keys of the versions are not named in advance, which is only of importance to clusters: there all keys of a database share one hash tag.</remarks>
    public static readonly RedisScript Recover = new(
        BumpOne
        + """
        if #KEYS == 0 then return 0 end

        """
        + Now
        + """
        local overdue = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now), 'LIMIT', 0, ARGV[2])
        for _, id in ipairs(overdue) do
          for version in string.gmatch(redis.call('HGET', KEYS[2], id) or '', '%S+') do bump(version, ARGV[1]) end
          redis.call('ZREM', KEYS[1], id)
          redis.call('HDEL', KEYS[2], id)
        end
        return #overdue
        """);

    /// <summary>Gives a lease back if it is still the holder's. Key: the lease. Argument: the holder.</summary>
    public static readonly RedisScript Release = new(
        """
        if #KEYS == 0 then return 0 end
        if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
        return 0
        """);

    /// <summary>Gets all of them.</summary>
    public static IReadOnlyList<RedisScript> All { get; } = [Seed, Bump, Announce, Recover, Release];
}
