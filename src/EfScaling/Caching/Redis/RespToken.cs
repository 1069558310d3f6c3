using System.Buffers.Text;

namespace EfScaling.Caching.Redis;

/// <summary>One value, or the head of an aggregate whose elements follow.</summary>
/// <remarks>Its text lies in the buffer of the connection: copy what must live longer than the answer.</remarks>
internal readonly ref struct RespToken
{
    public RespToken(RespType type, long count, ReadOnlySpan<byte> text)
    {
        Type = type;
        Count = count;
        Text = text;
    }

    /// <summary>Gets what it is; <see cref="RespType.Null"/> also for the nulls of RESP2.</summary>
    public RespType Type { get; }

    /// <summary>Gets how many values follow that belong to an aggregate; twice the number of pairs of a map.</summary>
    public long Count { get; }

    /// <summary>Gets the bytes of a value that is no aggregate.</summary>
    public ReadOnlySpan<byte> Text { get; }

    /// <summary>Gets whether the server refused.</summary>
    public bool IsError => Type is RespType.SimpleError or RespType.BulkError;

    /// <summary>Gets whether elements follow.</summary>
    public bool IsAggregate => Type is RespType.Array or RespType.Map or RespType.Set or RespType.Push or RespType.Attribute;

    /// <summary>Reads a whole number, also one that is sent as text.</summary>
    /// <returns><see langword="false"/> if it is none.</returns>
    public bool TryGetNumber(out long number) =>
        Utf8Parser.TryParse(Text, out number, out var used) && used == Text.Length && !IsError && !IsAggregate;
}
