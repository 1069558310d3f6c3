using System.Net;
using System.Net.Sockets;

namespace EfScaling.IntegrationTests.Clusters;

/// <summary>An address with two servers behind it, as a load balancer has: its connections reach one and the other in turns.</summary>
public sealed class AlternatingAddress : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private Task _accepting = Task.CompletedTask;

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public static Task<AlternatingAddress> StartAsync(int firstPort, int otherPort)
    {
        var next = otherPort;
        return StartAsync(() => next = next == firstPort ? otherPort : firstPort);
    }

    /// <summary>Starts an address that asks for each connection where it leads.</summary>
    public static Task<AlternatingAddress> StartAsync(Func<int> portOfNext)
    {
        var address = new AlternatingAddress();
        address._listener.Start();
        address._accepting = address.AcceptAsync(portOfNext);
        return Task.FromResult(address);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task AcceptAsync(Func<int> portOfNext)
    {
        while (true)
        {
            var client = await _listener.AcceptTcpClientAsync(_stop.Token);
            _ = ForwardAsync(client, portOfNext());
        }
    }

    private async Task ForwardAsync(TcpClient client, int port)
    {
        using (client)
        {
            using var server = new TcpClient();
            await server.ConnectAsync(IPAddress.Loopback, port, _stop.Token);
            var there = client.GetStream().CopyToAsync(server.GetStream(), _stop.Token);
            var back = server.GetStream().CopyToAsync(client.GetStream(), _stop.Token);
            await Task.WhenAny(there, back);
        }
    }
}
