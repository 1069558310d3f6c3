using System.Buffers.Text;

namespace EfScaling.Caching.Redis;

/// <summary>Reads RESP2 and RESP3 values from bytes that have arrived.</summary>
/// <remarks>
/// <para>Two steps, so that an answer split anywhere needs no state between two arrivals: <see cref="TryMeasure"/> says whether an answer is complete, and only complete answers are read.</para>
/// <para>
/// Streamed strings and aggregates (<c>$?</c>, <c>*?</c>) are refused: no server sends them, see
/// https://github.com/redis/redis-specifications/blob/master/protocol/RESP3.md.
/// </para>
/// </remarks>
internal ref struct RespReader(ReadOnlySpan<byte> bytes)
{
    /// <summary>The longest value that Redis keeps.</summary>
    private const long LongestBulk = 512 * 1024 * 1024;

    /// <summary>Far more elements than any answer to this client has; what claims more is no RESP.</summary>
    private const long MostElements = 1024 * 1024;

    /// <summary>Enough for a number and the message of an error.</summary>
    private const int LongestLine = 64 * 1024;

    private readonly ReadOnlySpan<byte> _bytes = bytes;

    /// <summary>Gets how many bytes were read.</summary>
    public int Position { get; private set; }

    /// <summary>Tells whether the bytes start with a complete value, and how long it is.</summary>
    /// <exception cref="RespException">They do not, and more bytes will not mend that.</exception>
    public static bool TryMeasure(ReadOnlySpan<byte> bytes, out int length)
    {
        var reader = new RespReader(bytes);
        for (long missing = 1; missing > 0; missing--)
        {
            if (!reader.TryRead(out var token))
            {
                length = 0;
                return false;
            }

            // Attributes stand before a value and count as none. A flat count instead of recursion: nesting cannot exhaust the stack.
            missing += token.Type == RespType.Attribute ? token.Count + 1 : token.Count;
            if (missing > MostElements)
            {
                throw new RespException("The answer has more elements than any answer of Redis.");
            }
        }

        length = reader.Position;
        return true;
    }

    /// <summary>Reads the next value, or the head of the next aggregate, passing over attributes.</summary>
    /// <exception cref="RespException">There is none.</exception>
    public RespToken Read()
    {
        while (TryRead(out var token))
        {
            if (token.Type != RespType.Attribute)
            {
                return token;
            }

            Skip(token.Count);
        }

        throw new RespException("The answer has fewer elements than it should.");
    }

    /// <summary>Reads the head of an aggregate.</summary>
    /// <returns>How many values follow.</returns>
    /// <exception cref="RespException">Something else comes next.</exception>
    public long ReadAggregate()
    {
        var token = Read();
        return token.IsAggregate ? token.Count : throw new RespException("The answer is one value where several belong.");
    }

    /// <summary>Passes over values with all that belongs to them.</summary>
    public void Skip(long values)
    {
        for (var missing = values; missing > 0; missing--)
        {
            missing += Read().Count;
        }
    }

    private static RespException NotResp(byte start) => new($"The answer starts with byte {start}, which is no RESP.");

    private bool TryRead(out RespToken token)
    {
        token = default;
        if (Position >= _bytes.Length)
        {
            return false;
        }

        var rest = _bytes[Position..];
        var type = (RespType)rest[0];
        if ("+-:$*_#,(!=%~|>"u8.IndexOf(rest[0]) < 0)
        {
            throw NotResp(rest[0]);
        }

        var end = rest[..Math.Min(rest.Length, LongestLine)].IndexOf("\r\n"u8);
        if (end < 0)
        {
            return rest.Length < LongestLine ? false : throw new RespException("The answer has a line that does not end.");
        }

        var line = rest[1..end];
        var next = Position + end + 2;
        switch (type)
        {
            case RespType.BulkString or RespType.BulkError or RespType.VerbatimString:
                var size = ReadCount(line, LongestBulk);
                if (size < 0)
                {
                    break;
                }

                if (_bytes.Length - next < size + 2)
                {
                    return false;
                }

                if (_bytes[next + (int)size] != '\r' || _bytes[next + (int)size + 1] != '\n')
                {
                    throw new RespException("The answer has a value that is longer than it says.");
                }

                token = new RespToken(type, 0, _bytes.Slice(next, (int)size));
                Position = next + (int)size + 2;
                return true;

            case RespType.Array or RespType.Set or RespType.Push or RespType.Map or RespType.Attribute:
                var count = ReadCount(line, MostElements);
                if (count < 0)
                {
                    break;
                }

                token = new RespToken(type, type is RespType.Map or RespType.Attribute ? count * 2 : count, default);
                Position = next;
                return true;

            case RespType.Null:
                break;

            default:
                token = new RespToken(type, 0, line);
                Position = next;
                return true;
        }

        token = new RespToken(RespType.Null, 0, default);
        Position = next;
        return true;
    }

    private static long ReadCount(ReadOnlySpan<byte> line, long most) =>
        Utf8Parser.TryParse(line, out long count, out var used) && used == line.Length && count >= -1 && count <= most
            ? count
            : throw new RespException("The answer has a length that is none.");
}
