using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace EfScaling.IntegrationTests.Clusters;

/// <summary>An address that leads to a server and counts on the wire how often a client waits for it. Questions of the monitor do not count.</summary>
public sealed class RoundTripCounter : IAsyncDisposable
{
    private static readonly byte[] _probe = Encoding.ASCII.GetBytes("WITH node AS MATERIALIZED");

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentBag<Task> _relays = [];
    private readonly int _serverPort;
    private int _count;

    private RoundTripCounter(int serverPort) => _serverPort = serverPort;

    /// <summary>Gets the port of the address.</summary>
    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>Gets how many times a client sent something after the server's last answer.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Opens the address.</summary>
    public static RoundTripCounter Start(int serverPort)
    {
        var counter = new RoundTripCounter(serverPort);
        counter._listener.Start();
        counter._relays.Add(counter.AcceptAsync());
        return counter;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await Task.WhenAll(_relays).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            var client = await _listener.AcceptTcpClientAsync(_stop.Token);
            _relays.Add(RelayAsync(client));
        }
    }

    private async Task RelayAsync(TcpClient client)
    {
        using var from = client;
        using var to = new TcpClient();
        await to.ConnectAsync(IPAddress.Loopback, _serverPort, _stop.Token);
        from.NoDelay = to.NoDelay = true;
        var hasAnswered = new StrongBox();
        var up = PumpAsync(from.GetStream(), to.GetStream(), chunk =>
        {
            if (hasAnswered.Value && chunk.Span.IndexOf(_probe) < 0)
            {
                Interlocked.Increment(ref _count);
            }

            hasAnswered.Value = false;
        });
        var down = PumpAsync(to.GetStream(), from.GetStream(), _ => hasAnswered.Value = true);
        await Task.WhenAny(up, down);
    }

    private async Task PumpAsync(NetworkStream source, NetworkStream target, Action<ReadOnlyMemory<byte>> onChunk)
    {
        var buffer = new byte[64 * 1024];
        while (await source.ReadAsync(buffer, _stop.Token) is var length and > 0)
        {
            onChunk(buffer.AsMemory(0, length));
            await target.WriteAsync(buffer.AsMemory(0, length), _stop.Token);
        }
    }

    private sealed class StrongBox
    {
        public volatile bool Value;
    }
}
