using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace EfScaling.StackExchangeRedis.Tests;

/// <summary>A connection to Redis that sends one command at a time.</summary>
internal sealed class RespConnection : IDisposable
{
    private readonly Lock _lock = new();
    private readonly TcpClient _client;
    private readonly BufferedStream _stream;

    public RespConnection(string host, int port)
    {
        _client = new TcpClient(host, port) { NoDelay = true };
        _stream = new BufferedStream(_client.GetStream(), 64 * 1024);
    }

    /// <summary>Sends a command and reads its reply: <see langword="null"/>, bytes, a number or an array of these.</summary>
    /// <exception cref="InvalidOperationException">Redis refused; the message is its own.</exception>
    public object? Send(params IReadOnlyList<byte[]> words)
    {
        lock (_lock)
        {
            Write($"*{words.Count}\r\n");
            foreach (var word in words)
            {
                Write($"${word.Length}\r\n");
                _stream.Write(word);
                Write("\r\n");
            }

            _stream.Flush();
            return Receive();
        }
    }

    /// <summary>Reads what Redis sends next.</summary>
    public object? Receive()
    {
        var line = ReadLine();
        switch (line[0])
        {
            case '+':
                return Encoding.UTF8.GetBytes(line[1..]);
            case '-':
                throw new InvalidOperationException(line[1..]);
            case ':':
                return long.Parse(line.AsSpan(1), CultureInfo.InvariantCulture);
            case '$' when line == "$-1":
            case '*' when line == "*-1":
                return null;
            case '$':
                var bytes = new byte[int.Parse(line.AsSpan(1), CultureInfo.InvariantCulture)];
                _stream.ReadExactly(bytes);
                ReadLine();
                return bytes;
            case '*':
                var items = new object?[int.Parse(line.AsSpan(1), CultureInfo.InvariantCulture)];
                for (var i = 0; i < items.Length; i++)
                {
                    items[i] = Receive();
                }

                return items;
            default:
                throw new InvalidDataException($"Redis sent '{line}'.");
        }
    }

    public void Dispose() => _client.Dispose();

    private void Write(string text) => _stream.Write(Encoding.UTF8.GetBytes(text));

    private string ReadLine()
    {
        var line = new StringBuilder();
        for (var next = _stream.ReadByte(); next != '\r'; next = _stream.ReadByte())
        {
            line.Append(next >= 0 ? (char)next : throw new EndOfStreamException("Redis closed the connection."));
        }

        _stream.ReadByte();
        return line.ToString();
    }
}
