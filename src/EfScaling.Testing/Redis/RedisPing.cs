using System.Net;
using System.Net.Sockets;
using System.Text;

namespace EfScaling.Testing.Redis;

/// <summary>Asks whether a Redis server answers, without a client library.</summary>
internal static class RedisPing
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    /// <summary>Sends PING, after AUTH when there is a password.</summary>
    /// <returns><see langword="false"/> when nothing listens, or the server still loads its data.</returns>
    public static async Task<bool> AnswersAsync(int port, string? password, CancellationToken cancellationToken)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        end.CancelAfter(Patience);
        try
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port), end.Token).ConfigureAwait(false);
            var request = (password is null ? "" : $"AUTH {password}\r\n") + "PING\r\n";
            await socket.SendAsync(Encoding.UTF8.GetBytes(request), end.Token).ConfigureAwait(false);

            var answer = "";
            var buffer = new byte[256];
            while (!answer.Contains("+PONG\r\n", StringComparison.Ordinal))
            {
                var read = await socket.ReceiveAsync(buffer, end.Token).ConfigureAwait(false);
                answer += Encoding.ASCII.GetString(buffer, 0, read);
                if (read == 0 || answer.Contains('-', StringComparison.Ordinal))
                {
                    return false;
                }
            }

            return true;
        }
        catch (SocketException)
        {
            return false;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return false;
        }
    }
}
