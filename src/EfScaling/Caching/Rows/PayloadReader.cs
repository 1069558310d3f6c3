using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace EfScaling.Caching.Rows;

/// <summary>Reads a payload that may hold anything. Once it is damaged it stays so, and every read returns zero or nothing.</summary>
internal ref struct PayloadReader(ReadOnlySpan<byte> payload)
{
    private ReadOnlySpan<byte> _rest = payload;

    /// <summary>Gets whether bytes were missing or made no sense.</summary>
    public bool IsDamaged { get; private set; }

    /// <summary>Gets how many bytes are left.</summary>
    public readonly int Left => _rest.Length;

    /// <summary>Says that the payload makes no sense.</summary>
    public void Damage()
    {
        IsDamaged = true;
        _rest = default;
    }

    /// <summary>Reads one byte.</summary>
    public byte Byte()
    {
        if (_rest.IsEmpty)
        {
            Damage();
            return 0;
        }

        var value = _rest[0];
        _rest = _rest[1..];
        return value;
    }

    /// <summary>Reads a byte that is zero or one.</summary>
    public bool Flag()
    {
        var value = Byte();
        if (value > 1)
        {
            Damage();
        }

        return value == 1;
    }

    /// <summary>Reads eight bytes, little endian.</summary>
    public long Fixed()
    {
        var bytes = Bytes(8);
        return bytes.Length == 8 ? BinaryPrimitives.ReadInt64LittleEndian(bytes) : 0;
    }

    /// <summary>Reads what <see cref="PayloadWriter.Varint"/> wrote.</summary>
    public ulong Varint()
    {
        var rest = _rest;
        if (!rest.IsEmpty && rest[0] < 0x80)
        {
            _rest = rest[1..];
            return rest[0];
        }

        ulong value = 0;
        for (var i = 0; i < rest.Length && i < 10; i++)
        {
            value |= (ulong)(rest[i] & 0x7F) << (7 * i);
            if (rest[i] < 0x80)
            {
                _rest = rest[(i + 1)..];
                return value;
            }
        }

        Damage();
        return 0;
    }

    /// <summary>Reads what <see cref="PayloadWriter.Zigzag"/> wrote.</summary>
    public long Zigzag()
    {
        var value = Varint();
        return (long)(value >> 1) ^ -(long)(value & 1);
    }

    /// <summary>Reads how many items follow.</summary>
    /// <param name="perByte">How many items one byte holds at most: the number is never more than what is left can hold.</param>
    public int Count(int perByte = 1)
    {
        var count = Varint();
        if (count <= (ulong)_rest.Length * (uint)perByte && count <= int.MaxValue)
        {
            return (int)count;
        }

        Damage();
        return 0;
    }

    /// <summary>Reads bytes; empty if fewer are left.</summary>
    public ReadOnlySpan<byte> Bytes(int count)
    {
        if ((uint)count > (uint)_rest.Length)
        {
            Damage();
            return default;
        }

        var bytes = _rest[..count];
        _rest = _rest[count..];
        return bytes;
    }

    /// <summary>Reads what <see cref="PayloadWriter.Block"/> wrote.</summary>
    public ReadOnlySpan<byte> Block() => Bytes(Count());

    /// <summary>Fills the target with bytes.</summary>
    public void CopyTo(scoped Span<byte> target) => Bytes(target.Length).CopyTo(target);

    /// <summary>Reads what <see cref="PayloadWriter.Text"/> wrote.</summary>
    public string Text()
    {
        var wide = Flag();
        var bytes = Block();
        if (!wide)
        {
            return Encoding.UTF8.GetString(bytes);
        }

        if (bytes.Length % sizeof(char) != 0)
        {
            Damage();
            return string.Empty;
        }

        var text = new char[bytes.Length / sizeof(char)];
        bytes.CopyTo(MemoryMarshal.AsBytes(text.AsSpan()));
        return new string(text);
    }
}
