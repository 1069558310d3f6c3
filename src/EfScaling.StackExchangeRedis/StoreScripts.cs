namespace EfScaling.Caching.StackExchangeRedis;

/// <summary>What Redis does for a <see cref="MultiplexerCacheStore"/> at one moment. Needs Redis 5 or later.</summary>
/// <remarks>
/// A message on the channel is <c>sequence SP version SP version…</c> for changes, which raise the sequence by one, and <c>sequence @ beat</c> for a sign of
/// life, which does not: whoever misses a message notices by the next. Numbers are passed on as strings, because Lua's own lose digits.
/// </remarks>
internal static class StoreScripts
{
    /// <summary>Keys: versions, entry if wanted. Arguments: a value for each version that is missing. Returns what the keys hold.</summary>
    public const string Read =
        """
        if #KEYS == 0 then return {} end
        local held = redis.call('MGET', unpack(KEYS))
        for i = 1, #ARGV do
          if not held[i] then
            redis.call('SET', KEYS[i], ARGV[i], 'EX', 604800)
            held[i] = ARGV[i]
          end
        end
        return held
        """;

    /// <summary>Keys: sequence, intents by time, intents by writer, versions. Arguments: channel, first sequence, names, writer or nothing, values if missing.</summary>
    public const string Bump =
        Functions + """
        if #KEYS > 3 then
          report(KEYS[1], ARGV[2], ARGV[1], ARGV[3])
        end
        for i = 4, #KEYS do
          bump(KEYS[i], ARGV[i + 1])
        end
        if ARGV[4] ~= '' then
          redis.call('ZREM', KEYS[2], ARGV[4])
          redis.call('HDEL', KEYS[3], ARGV[4])
        end
        return 1
        """;

    /// <summary>Keys: intents by time, intents by writer. Arguments: writer, names, lease in milliseconds.</summary>
    public const string Announce =
        Functions + """
        local held = redis.call('HGET', KEYS[2], ARGV[1])
        redis.call('HSET', KEYS[2], ARGV[1], table.concat(distinct((held or '') .. ' ' .. ARGV[2]), ' '))
        redis.call('ZADD', KEYS[1], now() + ARGV[3], ARGV[1])
        return 1
        """;

    /// <summary>Keys: sequence, intents by time, intents by writer. Arguments: channel, first sequence, prefix of versions, first value if missing.</summary>
    public const string Recover =
        Functions + """
        local writers = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now(), 'LIMIT', 0, 100)
        if #writers == 0 then return 0 end
        local all = ''
        for _, writer in ipairs(writers) do
          all = all .. ' ' .. (redis.call('HGET', KEYS[3], writer) or '')
        end
        local names = distinct(all)
        if #names > 0 then
          report(KEYS[1], ARGV[2], ARGV[1], table.concat(names, ' '))
        end
        for i, name in ipairs(names) do
          bump(ARGV[3] .. name, string.format('%.0f', ARGV[4] + i))
        end
        redis.call('ZREM', KEYS[2], unpack(writers))
        redis.call('HDEL', KEYS[3], unpack(writers))
        return #writers
        """;

    /// <summary>Keys: sequence. Arguments: channel, first sequence, beat. Returns what tells the life of the server apart.</summary>
    public const string Beat =
        """
        if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('SET', KEYS[1], ARGV[2]) end
        redis.call('PUBLISH', ARGV[1], redis.call('GET', KEYS[1]) .. '@' .. ARGV[3])
        return string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') .. string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)')
        """;

    // Changes are reported first: where the user may not publish, the script then fails before it has changed anything.
    private const string Functions =
        """
        local function now()
          local time = redis.call('TIME')
          return time[1] * 1000 + math.floor(time[2] / 1000)
        end
        local function distinct(text)
          local seen, list = {}, {}
          for name in string.gmatch(text, '[^ ]+') do
            if not seen[name] then
              seen[name] = true
              list[#list + 1] = name
            end
          end
          return list
        end
        local function report(sequence, first, channel, names)
          if redis.call('EXISTS', sequence) == 0 then redis.call('SET', sequence, first) end
          redis.call('INCR', sequence)
          redis.call('PUBLISH', channel, redis.call('GET', sequence) .. ' ' .. names)
        end
        local function bump(key, value)
          if redis.call('EXISTS', key) == 1 and type(redis.pcall('INCR', key)) == 'number' then return end
          redis.call('SET', key, value, 'EX', 604800)
        end

        """;
}
