using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace EfScaling.Caching.Redis;

/// <summary>A new connection on which one thing is asked after the other, each within the connect timeout.</summary>
internal sealed class RedisDialog : IDisposable
{
    private readonly RespWriter _writer = new();
    private readonly RedisReceiveBuffer _buffer = new([]);
    private readonly string? _user;

    private RedisDialog(Socket socket, Stream stream, string? user) => (Socket, Stream, _user) = (socket, stream, user);

    /// <summary>Gets the socket.</summary>
    public Socket Socket { get; }

    /// <summary>Gets what is read from and written to.</summary>
    public Stream Stream { get; }

    /// <summary>Gets what was received beyond the last answer.</summary>
    public byte[] Rest => _buffer.Rest;

    /// <summary>Connects.</summary>
    /// <param name="endpoint">Where to.</param>
    /// <param name="options">How.</param>
    /// <param name="user">As whom, for messages.</param>
    /// <exception cref="RedisConnectException">The server cannot be reached, or its certificate is refused.</exception>
    public static RedisDialog Open(RedisEndpoint endpoint, RedisOptions options, string? user)
    {
        Socket? socket = null;
        try
        {
            socket = Connect(endpoint, options.ConnectTimeout);
            var timeout = (int)Math.Ceiling(options.ConnectTimeout.TotalMilliseconds);
            (socket.NoDelay, socket.SendTimeout, socket.ReceiveTimeout) = (true, timeout, timeout);
            return new RedisDialog(socket, Encrypt(new NetworkStream(socket, ownsSocket: false), endpoint, options), user);
        }
        catch (AuthenticationException refused)
        {
            socket?.Dispose();
            throw new RedisConnectException(
                new(RedisFailureKind.Refused, $"the TLS handshake failed: {refused.Message.TrimEnd('.')}; correct the certificate, or name its host by 'sslHost' or its check by CertificateValidation"), refused);
        }
        catch (Exception failed) when (failed is SocketException or IOException)
        {
            socket?.Dispose();
            throw new RedisConnectException(new(RedisFailureKind.ConnectionLost, $"the server cannot be reached ({Cause(failed)})"), failed);
        }
        catch
        {
            socket?.Dispose();
            throw;
        }
    }

    /// <summary>Asks, and reads the answer as text.</summary>
    /// <param name="name">What is asked, in messages; such as <c>client|setname</c>.</param>
    /// <param name="parts">The command.</param>
    /// <returns>Empty if the answer is none or an aggregate.</returns>
    /// <exception cref="RedisConnectException">The server refuses or does not answer.</exception>
    public string Ask(string name, params ReadOnlySpan<string> parts) => Encoding.UTF8.GetString(Exchange(name, parts).Read().Text);

    /// <summary>Asks, and reads the answer as a list of texts.</summary>
    /// <returns>Empty if the answer is none.</returns>
    /// <inheritdoc cref="Ask" path="/exception"/>
    public IReadOnlyList<string> AskList(string name, params ReadOnlySpan<string> parts)
    {
        var reader = Exchange(name, parts);
        var texts = new string[reader.Read().Count];
        for (var i = 0; i < texts.Length; i++)
        {
            texts[i] = Encoding.UTF8.GetString(reader.Read().Text);
        }

        return texts;
    }

    /// <summary>Ends the timeouts of the dialog: from now on a thread waits for answers as long as it takes.</summary>
    public void HandOver(TimeSpan sendTimeout) => (Socket.ReceiveTimeout, Socket.SendTimeout) = (0, (int)Math.Ceiling(sendTimeout.TotalMilliseconds));

    /// <inheritdoc />
    public void Dispose() => Socket.Dispose();

    private static Socket Connect(RedisEndpoint endpoint, TimeSpan timeout)
    {
        SocketException? last = null;
        foreach (var address in IPAddress.TryParse(endpoint.Host, out var given) ? [given] : Dns.GetHostAddresses(endpoint.Host))
        {
            var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                Connect(socket, new IPEndPoint(address, endpoint.Port), timeout);
                return socket;
            }
            catch (SocketException failed)
            {
                socket.Dispose();
                last = failed;
            }
        }

        throw last ?? new SocketException((int)SocketError.HostNotFound);
    }

    // A synchronous connect has no time limit of its own, and a socket that was once used in another way is woken by way of two threads ever after
    // (SafeSocketHandle.IsNonBlocking, .NET 10). So whoever is too slow has the socket taken away.
    private static void Connect(Socket socket, IPEndPoint address, TimeSpan timeout)
    {
        using var limit = new Timer(static late => ((Socket)late!).Dispose(), socket, timeout, Timeout.InfiniteTimeSpan);
        try
        {
            socket.Connect(address);
        }
        catch (Exception ended) when (ended is ObjectDisposedException or SocketException { SocketErrorCode: SocketError.OperationAborted or SocketError.Interrupted })
        {
            throw new SocketException((int)SocketError.TimedOut);
        }
    }

    private static Stream Encrypt(NetworkStream stream, RedisEndpoint endpoint, RedisOptions options)
    {
        if (!options.UseTls)
        {
            return stream;
        }

        string? refusal = null;
        var encrypted = new SslStream(stream, leaveInnerStreamOpen: false, Judge);
        try
        {
            encrypted.AuthenticateAsClient(new SslClientAuthenticationOptions { TargetHost = options.TlsHost ?? endpoint.Host });
            return encrypted;
        }
        catch (AuthenticationException refused) when (refusal is not null)
        {
            throw new AuthenticationException(refusal, refused);
        }

        // The framework tells of a certificate that the application refuses no more than that, and of several faults only some.
        bool Judge(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
        {
            if (options.CertificateValidation?.Invoke(sender, certificate, chain, errors) ?? errors == SslPolicyErrors.None)
            {
                return true;
            }

            var faults = (chain?.ChainStatus ?? []).Select(s => s.Status.ToString()).Prepend((errors & ~SslPolicyErrors.RemoteCertificateChainErrors).ToString());
            refusal = $"the certificate is refused ({string.Join(", ", faults.Where(f => f != nameof(SslPolicyErrors.None)).DefaultIfEmpty("by CertificateValidation"))})";
            return false;
        }
    }

    private static string Cause(Exception failed) =>
        (failed as SocketException ?? failed.InnerException as SocketException)?.SocketErrorCode switch
        {
            SocketError.WouldBlock or SocketError.TimedOut => nameof(SocketError.TimedOut),
            { } code => code.ToString(),
            null => "it closed the connection",
        };

    private RespReader Exchange(string name, ReadOnlySpan<string> parts)
    {
        try
        {
            _writer.Clear();
            _writer.Command(parts.Length);
            foreach (var part in parts)
            {
                _writer.Part(part);
            }

            Stream.Write(_writer.Written);
            ReadOnlySpan<byte> answer;
            while (!_buffer.TryTake(out answer) || answer[0] == (byte)RespType.Push)
            {
                if (answer.IsEmpty && !_buffer.Fill(Stream))
                {
                    throw new RedisConnectException(new(RedisFailureKind.ConnectionLost, "the server closed the connection while it was made; check port and TLS"));
                }
            }

            var head = new RespReader(answer).Read();
            return head.IsError ? throw new RedisConnectException(RedisError.Read(head.Text, name, _user)) : new RespReader(answer);
        }
        catch (RespException broken)
        {
            throw new RedisConnectException(new(RedisFailureKind.Protocol, $"the server does not speak the protocol of Redis: {broken.Message}"), broken);
        }
        catch (Exception broken) when (broken is IOException or SocketException)
        {
            throw new RedisConnectException(new(RedisFailureKind.ConnectionLost, $"the connection broke while it was made ({Cause(broken)})"), broken);
        }
    }
}
