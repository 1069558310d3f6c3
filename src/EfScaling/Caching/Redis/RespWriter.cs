using System.Buffers.Text;
using System.Text;

namespace EfScaling.Caching.Redis;

/// <summary>Collects commands as bytes to send.</summary>
/// <remarks>A command is an array of bulk strings: <c>*2 $3 GET $1 k</c>, each part ended by CR LF. Not thread-safe.</remarks>
internal sealed class RespWriter
{
    private const int UsualSize = 16 * 1024;

    /// <summary>Above this the memory is given back once the bytes are sent.</summary>
    private const int LargestKept = 1024 * 1024;

    private byte[] _bytes = new byte[UsualSize];

    /// <summary>Gets how many bytes are collected.</summary>
    public int Length { get; private set; }

    /// <summary>Gets the bytes; valid until the next call.</summary>
    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, Length);

    /// <summary>Starts a command; as many parts as it has must follow, its name first.</summary>
    public void Command(int parts) => Head((byte)'*', parts);

    /// <summary>Writes a part that is text.</summary>
    public void Part(string text)
    {
        var size = Encoding.UTF8.GetByteCount(text);
        Head((byte)'$', size);
        Length += Encoding.UTF8.GetBytes(text, Room(size + 2));
        End();
    }

    /// <summary>Writes a part that is bytes.</summary>
    public void Part(ReadOnlySpan<byte> bytes)
    {
        Head((byte)'$', bytes.Length);
        bytes.CopyTo(Room(bytes.Length + 2));
        Length += bytes.Length;
        End();
    }

    /// <summary>Writes a part that is a number.</summary>
    public void Part(long number)
    {
        Span<byte> digits = stackalloc byte[20];
        Utf8Formatter.TryFormat(number, digits, out var size);
        Part(digits[..size]);
    }

    /// <summary>Forgets what is collected from a length on.</summary>
    public void Truncate(int length) => Length = length;

    /// <summary>Forgets all that is collected.</summary>
    public void Clear()
    {
        Length = 0;
        if (_bytes.Length > LargestKept)
        {
            _bytes = new byte[UsualSize];
        }
    }

    private void Head(byte kind, int number)
    {
        var room = Room(14);
        room[0] = kind;
        Utf8Formatter.TryFormat(number, room[1..], out var size);
        Length += size + 1;
        End();
    }

    // The room for it was made with what stands before it.
    private void End()
    {
        "\r\n"u8.CopyTo(_bytes.AsSpan(Length));
        Length += 2;
    }

    private Span<byte> Room(int size)
    {
        if (_bytes.Length - Length < size)
        {
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, Length + size));
        }

        return _bytes.AsSpan(Length);
    }
}
