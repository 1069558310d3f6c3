namespace EfScaling.Caching.Redis;

/// <summary>What a connection is made for: the scripts that it runs, and the commands that its user must be allowed to run, in scripts and by themselves.</summary>
internal sealed class RedisRights
{
    /// <summary>Of <see cref="RedisCacheStore"/>.</summary>
    public static readonly RedisRights Cache = new(
        RedisScripts.All,
        [
            "del key", "get key", "mget key", "set key 0 XX", "pexpire key 1", "exists key", "time", "hget key field", "hset key field value odd", "hdel key field",
            "zadd key XX 0 member", "zrem key member", "zrangebyscore key 0 0", "incr key",
        ]);

    /// <summary>Of <see cref="RedisDocuments"/>.</summary>
    public static readonly RedisRights Documents = new(
        RedisDocumentScripts.All, ["hget key field", "hset key field value odd", "hdel key field", "pexpire key 1", "persist key"]);

    // A user may lack the right to a command that scripts hold and run all else, and would be found out in the middle of a script. The server checks
    // the right to a command before that to the key, so that the key need not be one of the cache's. None of the trials leaves anything behind but INCR: that is tried only
    // where DEL will remove it. 'odd' makes HSET one argument too long.
    private static readonly RedisScript Trial = new(
        """
        local missing, lacks = {}, {}
        for i = 2, #ARGV do
          local trial = {}
          for part in string.gmatch(ARGV[i], '%S+') do trial[#trial + 1] = part == 'key' and ARGV[1] or part end
          if trial[1] ~= 'incr' or not lacks['del'] then
            local done = redis.pcall(unpack(trial))
            local refusal = type(done) == 'table' and done.err or ''
            if string.find(refusal, 'permissions to run the', 1, true) or string.find(refusal, 'run this command', 1, true) then
              missing[#missing + 1] = trial[1]
              lacks[trial[1]] = true
            end
          end
        end
        if not lacks['del'] then redis.pcall('DEL', ARGV[1]) end
        return missing
        """);

    private readonly string[] _trials;

    private RedisRights(IReadOnlyList<RedisScript> scripts, string[] trials) => (Scripts, _trials) = (scripts, trials);

    /// <summary>Gets the scripts.</summary>
    public IReadOnlyList<RedisScript> Scripts { get; }

    /// <summary>Returns the commands that the user of a connection may not run.</summary>
    /// <exception cref="RedisConnectException">The server refuses or does not answer.</exception>
    public IReadOnlyList<string> FindMissing(RedisDialog dialog) => dialog.AskList("eval", ["EVAL", Trial.Source, "0", FormattableString.Invariant($"efs:rights:{RedisSeed.Next()}"), .. _trials]);
}
