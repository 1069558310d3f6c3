using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Unicode;

namespace EfScaling.Caching.Rows;

/// <summary>Writes a payload into one growing buffer. Not thread-safe.</summary>
internal sealed class PayloadWriter : IBufferWriter<byte>, IDisposable
{
    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(1024);

    /// <summary>Gets how many bytes are written. Set back to take bytes away.</summary>
    public int Length { get; set; }

    /// <summary>Gets what is written.</summary>
    public Span<byte> Written => _buffer.AsSpan(0, Length);

    /// <summary>Writes one byte.</summary>
    public void Byte(byte value)
    {
        GetSpan(1)[0] = value;
        Length++;
    }

    /// <summary>Writes eight bytes, little endian.</summary>
    public void Fixed(long value)
    {
        BinaryPrimitives.WriteInt64LittleEndian(GetSpan(8), value);
        Length += 8;
    }

    /// <summary>Writes seven bits a byte, the lowest first; the highest bit says that more follow.</summary>
    public void Varint(ulong value)
    {
        var target = GetSpan(10);
        var written = 0;
        while (value >= 0x80)
        {
            target[written++] = (byte)(value | 0x80);
            value >>= 7;
        }

        target[written++] = (byte)value;
        Length += written;
    }

    /// <summary>Writes a number near zero, of either sign, in few bytes.</summary>
    public void Zigzag(long value) => Varint((ulong)((value << 1) ^ (value >> 63)));

    /// <summary>Writes bytes without their number.</summary>
    public void Bytes(ReadOnlySpan<byte> value)
    {
        value.CopyTo(GetSpan(value.Length));
        Length += value.Length;
    }

    /// <summary>Writes the number of the bytes, then the bytes.</summary>
    public void Block(ReadOnlySpan<byte> value)
    {
        Varint((uint)value.Length);
        Bytes(value);
    }

    /// <summary>Writes the number of bytes, then the text as UTF-8.</summary>
    /// <returns><see langword="false"/> if the text is no valid UTF-16; half of it may be written.</returns>
    public bool TryText(ReadOnlySpan<char> value)
    {
        var length = System.Text.Encoding.UTF8.GetByteCount(value);
        Varint((uint)length);
        var status = Utf8.FromUtf16(value, GetSpan(length), out _, out var written, replaceInvalidSequences: false);
        Length += written;
        return status == OperationStatus.Done;
    }

    /// <summary>Writes text of any content: its number of bytes shifted by one and whether they are UTF-16, then the bytes.</summary>
    public void Text(string value)
    {
        var start = Length;
        Byte(0);
        if (TryText(value))
        {
            return;
        }

        Length = start;
        Byte(1);
        Block(MemoryMarshal.AsBytes(value.AsSpan()));
    }

    /// <inheritdoc />
    public void Advance(int count) => Length += count;

    /// <inheritdoc />
    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        Reserve(sizeHint);
        return _buffer.AsMemory(Length);
    }

    /// <inheritdoc />
    public Span<byte> GetSpan(int sizeHint = 0)
    {
        Reserve(sizeHint);
        return _buffer.AsSpan(Length);
    }

    /// <inheritdoc />
    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
    }

    private void Reserve(int count)
    {
        if (_buffer.Length - Length >= Math.Max(count, 1))
        {
            return;
        }

        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(_buffer.Length * 2, checked(Length + count)));
        Written.CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = larger;
    }
}
