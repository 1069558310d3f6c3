namespace EfScaling.Caching.Redis;

/// <summary>What documents need done at one moment in the server.</summary>
/// <remarks>
/// A document is a hash with the fields <c>version</c> and <c>view</c>; what was removed is one without <c>view</c>, and ends by itself. Versions are compared
/// as text: the numbers of Lua lose digits above 2^53. No version is negative or has zeros in front.
/// </remarks>
internal static class RedisDocumentScripts
{
    /// <summary>The field of the document itself.</summary>
    public const string ValueField = "view";

    private const string IsNewer =
        """
        if #KEYS == 0 then return 0 end
        local function newer(version)
          local known = redis.call('HGET', KEYS[1], 'version')
          return not known or #version > #known or (#version == #known and version > known)
        end

        """;

    /// <summary>Writes a document unless one as new is there. Key: the document. Arguments: its text, its version. Returns whether it did, as 1 or 0.</summary>
    public static readonly RedisScript Set = new(
        IsNewer
        + """
        if not newer(ARGV[2]) then return 0 end
        redis.call('HSET', KEYS[1], 'version', ARGV[2], 'view', ARGV[1])
        redis.call('PERSIST', KEYS[1])
        return 1
        """);

    /// <summary>
    /// Removes a document unless one as new is there, and leaves a mark. Key: the document. Arguments: the version, how long the mark is kept in milliseconds.
    /// Returns whether it did, as 1 or 0.
    /// </summary>
    /// <remarks>HDEL first: it needs no free memory, and a script that has written is not stopped for want of it.</remarks>
    public static readonly RedisScript Remove = new(
        IsNewer
        + """
        if not newer(ARGV[1]) then return 0 end
        redis.call('HDEL', KEYS[1], 'view')
        redis.call('HSET', KEYS[1], 'version', ARGV[1])
        redis.call('PEXPIRE', KEYS[1], ARGV[2])
        return 1
        """);

    /// <summary>Gets all of them.</summary>
    public static IReadOnlyList<RedisScript> All { get; } = [Set, Remove];
}
