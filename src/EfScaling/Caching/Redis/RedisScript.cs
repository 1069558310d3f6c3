using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;

namespace EfScaling.Caching.Redis;

/// <summary>A Lua script, and the hash by which a server that has seen it runs it.</summary>
internal sealed class RedisScript
{
    private readonly byte[] _source;
    private readonly byte[] _hash;

    [SuppressMessage("Security", "CA5350", Justification = "Redis names scripts by SHA-1; nothing is protected by it.")]
    public RedisScript(string source)
    {
        Source = source;
        _source = Encoding.UTF8.GetBytes(source);
        Hash = Convert.ToHexStringLower(SHA1.HashData(_source));
        _hash = Encoding.UTF8.GetBytes(Hash);
    }

    /// <summary>Gets the text.</summary>
    public string Source { get; }

    /// <summary>Gets the hash in lower case hexadecimal digits.</summary>
    public string Hash { get; }

    /// <summary>Starts the command that runs it. Its keys and arguments must follow.</summary>
    /// <param name="writer">Where to.</param>
    /// <param name="withSource">Whether the server does not know it; it does afterwards.</param>
    /// <param name="keys">How many keys follow.</param>
    /// <param name="arguments">How many arguments follow the keys.</param>
    public void Write(RespWriter writer, bool withSource, int keys, int arguments)
    {
        writer.Command(3 + keys + arguments);
        writer.Part(withSource ? "EVAL"u8 : "EVALSHA"u8);
        writer.Part(withSource ? _source : _hash);
        writer.Part(keys);
    }
}
