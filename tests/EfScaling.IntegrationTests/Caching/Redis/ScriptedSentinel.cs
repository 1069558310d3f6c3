using System.Net;
using System.Net.Sockets;
using System.Text;

namespace EfScaling.IntegrationTests.Caching.Redis;

/// <summary>Answers whatever it is asked as a sentinel does that knows one master, or none.</summary>
internal sealed class ScriptedSentinel : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Task _serving;

    public ScriptedSentinel()
    {
        _listener.Start();
        _serving = ServeAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>Where the master is said to be; none for zero.</summary>
    public int Master { get; set; }

    public async ValueTask DisposeAsync()
    {
        _listener.Dispose();
        await _serving;
    }

    private async Task ServeAsync()
    {
        var asked = new byte[1_000];
        try
        {
            while (true)
            {
                using var client = await _listener.AcceptTcpClientAsync();
                var stream = client.GetStream();
                var count = await stream.ReadAsync(asked);
                Assert.Contains("GET-MASTER-ADDR-BY-NAME", Encoding.ASCII.GetString(asked, 0, count), StringComparison.Ordinal);
                var port = FormattableString.Invariant($"{Master}");
                await stream.WriteAsync(Encoding.ASCII.GetBytes(Master == 0 ? "*-1\r\n" : $"*2\r\n$9\r\n127.0.0.1\r\n${port.Length}\r\n{port}\r\n"));
            }
        }
        catch (Exception closed) when (closed is SocketException or ObjectDisposedException or InvalidOperationException)
        {
            return;
        }
    }
}
