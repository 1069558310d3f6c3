using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace EfScaling.Testing.Redis;

/// <summary>A connection to a Redis server of this machine that sends one command after the other, without a client library.</summary>
/// <remarks>Not thread-safe. After an exception nothing more can be sent on it.</remarks>
internal sealed class RedisConnection : IAsyncDisposable
{
    private readonly Stream _stream;

    // One byte at a time is read from it; it holds what has come in advance.
    private readonly BufferedStream _input;

    private RedisConnection(Stream stream)
    {
        _stream = stream;
        _input = new BufferedStream(stream);
    }

    /// <summary>Connects and logs in.</summary>
    /// <exception cref="SocketException">Nothing listens on the port.</exception>
    /// <exception cref="IOException">The server closed the connection.</exception>
    /// <exception cref="InvalidOperationException">The server refused the login; the message says why.</exception>
    public static async Task<RedisConnection> OpenAsync(int port, RedisLogin login, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        Stream? stream = null;
        try
        {
            await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port), cancellationToken).ConfigureAwait(false);
            stream = new NetworkStream(socket, ownsSocket: true);
            if (login.Authority is { } authority)
            {
                stream = await SecureAsync(stream, authority, cancellationToken).ConfigureAwait(false);
            }

            var connection = new RedisConnection(stream);
            if (login.Command is { } command && await connection.ExecuteAsync(command, cancellationToken).ConfigureAwait(false) is { IsError: true } refusal)
            {
                throw new InvalidOperationException($"Redis on port {port} refused the login of '{login}': {refusal.Text}");
            }

            return connection;
        }
        catch
        {
            socket.Dispose();
            if (stream is not null)
            {
                await stream.DisposeAsync().ConfigureAwait(false);
            }

            throw;
        }
    }

    /// <summary>Sends a command and waits for its reply.</summary>
    /// <exception cref="IOException">The server closed the connection.</exception>
    public async Task<RedisReply> ExecuteAsync(IReadOnlyList<string> command, CancellationToken cancellationToken)
    {
        var request = new StringBuilder().Append(CultureInfo.InvariantCulture, $"*{command.Count}\r\n");
        foreach (var part in command)
        {
            request.Append(CultureInfo.InvariantCulture, $"${Encoding.UTF8.GetByteCount(part)}\r\n{part}\r\n");
        }

        await _stream.WriteAsync(Encoding.UTF8.GetBytes(request.ToString()), cancellationToken).ConfigureAwait(false);
        return await ReadAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync() => await _input.DisposeAsync().ConfigureAwait(false);

    private static async Task<Stream> SecureAsync(Stream stream, CertificateAuthority authority, CancellationToken cancellationToken)
    {
        using var root = authority.Certificate();
        var trust = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        trust.CustomTrustStore.Add(root);
        var secure = new SslStream(stream);
        try
        {
            var options = new SslClientAuthenticationOptions { TargetHost = IPAddress.Loopback.ToString(), CertificateChainPolicy = trust };
            await secure.AuthenticateAsClientAsync(options, cancellationToken).ConfigureAwait(false);
            return secure;
        }
        catch
        {
            await secure.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    // RESP2: a type byte and a line, then the bytes of a bulk string or the elements of an array (https://redis.io/docs/reference/protocol-spec).
    private async Task<RedisReply> ReadAsync(CancellationToken cancellationToken)
    {
        var line = await ReadLineAsync(cancellationToken).ConfigureAwait(false);
        var rest = line[1..];
        switch (line[0])
        {
            case '-':
                return new RedisReply(rest, IsError: true);
            case '$':
                return new RedisReply(await ReadBulkAsync(Length(rest), cancellationToken).ConfigureAwait(false));
            case '*':
                var elements = new string?[Math.Max(0, Length(rest))];
                for (var i = 0; i < elements.Length; i++)
                {
                    elements[i] = (await ReadAsync(cancellationToken).ConfigureAwait(false)).Text;
                }

                return new RedisReply(rest == "-1" ? null : string.Join('\n', elements));
            default:
                return new RedisReply(rest);
        }
    }

    private async Task<string?> ReadBulkAsync(int length, CancellationToken cancellationToken)
    {
        if (length < 0)
        {
            return null;
        }

        var bytes = new byte[length + 2];
        await _input.ReadExactlyAsync(bytes, cancellationToken).ConfigureAwait(false);
        return Encoding.UTF8.GetString(bytes, 0, length);
    }

    private async Task<string> ReadLineAsync(CancellationToken cancellationToken)
    {
        var line = new List<byte>();
        var next = new byte[1];
        while (line is not [.., (byte)'\r', (byte)'\n'])
        {
            await _input.ReadExactlyAsync(next, cancellationToken).ConfigureAwait(false);
            line.Add(next[0]);
        }

        return line.Count > 2 ? Encoding.UTF8.GetString([.. line[..^2]]) : throw new IOException("The server sent an empty line where a reply begins.");
    }

    private static int Length(string digits) => int.Parse(digits, CultureInfo.InvariantCulture);
}
