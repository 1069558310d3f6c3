using System.Net;
using System.Net.Sockets;
using EfScaling.Testing.Network;
using EfScaling.Testing.Processes;

namespace EfScaling.Testing;

/// <summary>A TCP proxy on a free port of 127.0.0.1 that can slow down, cut and hang the connections to one server.</summary>
/// <remarks>Thread-safe. The proxy starts in order: it forwards everything, at once.</remarks>
public sealed class TcpProxy : IAsyncDisposable
{
    private static readonly TimeSpan MaxDelay = TimeSpan.FromHours(1);

    private readonly Lock _gate = new();
    private readonly HashSet<ProxiedConnection> _connections = [];
    private readonly ForwardingGate _forwarding = new();
    private readonly PortLease _port = PortLease.Take();
    private readonly string _host;
    private readonly int _targetPort;
    private Socket? _listener;
    private Task _accepting = Task.CompletedTask;
    private long _delayTicks;
    private bool _disposed;

    private TcpProxy(string host, int port)
    {
        _host = host;
        _targetPort = port;
    }

    /// <summary>Address that the proxy listens on: always <c>127.0.0.1</c>.</summary>
    public string Host { get; } = "127.0.0.1";

    /// <summary>TCP port of the proxy, the same for its whole life, also while it is cut.</summary>
    public int Port => _port.Port;

    /// <summary>Time added to each direction: a chunk of bytes is passed on this long after it arrived. From zero, the default, to one hour.</summary>
    /// <remarks>
    /// Can be set at any time, and counts for the bytes that arrive afterwards. A request with its answer takes at least twice as long. It delays
    /// but does not slow: chunks that arrive together are passed on together. Connecting to the proxy itself is not delayed.
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of range.</exception>
    public TimeSpan Delay
    {
        get => TimeSpan.FromTicks(Interlocked.Read(ref _delayTicks));
        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, TimeSpan.Zero);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(value, MaxDelay);
            Interlocked.Exchange(ref _delayTicks, value.Ticks);
        }
    }

    /// <summary>Number of client connections that the proxy holds at this moment, forwarded or hanging.</summary>
    public int ConnectionCount
    {
        get
        {
            lock (_gate)
            {
                return _connections.Count;
            }
        }
    }

    /// <summary>Starts a proxy in front of a server.</summary>
    /// <param name="host">Name or address of the server. It need not be reachable yet.</param>
    /// <param name="port">Its TCP port, from 1 to 65535.</param>
    /// <returns>The running proxy. The caller disposes it.</returns>
    /// <remarks>The server is contacted for each client connection; when it cannot be reached, that client's connection is reset.</remarks>
    /// <exception cref="ArgumentException"><paramref name="host"/> is empty.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="port"/> is out of range.</exception>
    public static Task<TcpProxy> StartAsync(string host, int port)
    {
        ArgumentException.ThrowIfNullOrEmpty(host);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(port);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(port, IPEndPoint.MaxPort);

        var proxy = new TcpProxy(host, port);
        proxy.Restore();
        return Task.FromResult(proxy);
    }

    /// <summary>Resets all connections (RST) and refuses new ones until <see cref="Restore"/>. Completes when all are gone.</summary>
    /// <exception cref="ObjectDisposedException">The proxy is disposed.</exception>
    public async Task CutAsync()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        await CloseAsync().ConfigureAwait(false);
    }

    /// <summary>Lets connections hang until <see cref="Restore"/>: nothing is passed on in either direction, neither bytes nor a close or reset.</summary>
    /// <remarks>
    /// As when a cable is pulled. New connections are accepted and hang too. Bytes are kept and arrive after <see cref="Restore"/>, as TCP would send
    /// them again. <see cref="CutAsync"/> ends hanging connections. Does nothing while the proxy is cut: connections are refused then.
    /// </remarks>
    /// <exception cref="ObjectDisposedException">The proxy is disposed.</exception>
    public void HalfOpen()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        _forwarding.Close();
    }

    /// <summary>Ends a cut or a hang: new connections are accepted, and hanging ones go on. Keeps <see cref="Delay"/>.</summary>
    /// <exception cref="ObjectDisposedException">The proxy is disposed.</exception>
    public void Restore()
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _forwarding.Open();
            if (_listener is null)
            {
                _listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                _listener.Bind(new IPEndPoint(IPAddress.Loopback, Port));
                _listener.Listen();
                _accepting = AcceptAsync(_listener);
            }
        }
    }

    /// <summary>Resets all connections and gives the port back. Does nothing the second time.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_gate)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
        }

        await CloseAsync().ConfigureAwait(false);
        _port.Dispose();
    }

    private async Task CloseAsync()
    {
        Task accepting;
        lock (_gate)
        {
            // Forgotten first: the end of the listener must read as wanted.
            var listener = _listener;
            _listener = null;
            listener?.Dispose();
            accepting = _accepting;
        }

        // First, so that no connection is added after the others were reset.
        await accepting.ConfigureAwait(false);

        ProxiedConnection[] connections;
        lock (_gate)
        {
            connections = [.. _connections];
        }

        await Task.WhenAll(connections.Select(connection => connection.DisposeAsync().AsTask())).ConfigureAwait(false);
    }

    private async Task AcceptAsync(Socket listener)
    {
        while (true)
        {
            Socket client;
            try
            {
                client = await listener.AcceptAsync().ConfigureAwait(false);
            }
            catch (Exception) when (IsClosed(listener))
            {
                return;
            }
            catch (SocketException)
            {
                // The client gave up before it was accepted.
                continue;
            }

            var connection = new ProxiedConnection(client, _forwarding, () => Delay);
            lock (_gate)
            {
                _connections.Add(connection);
            }

            connection.Start(_host, _targetPort, onEnded: Forget);
        }
    }

    private bool IsClosed(Socket listener)
    {
        lock (_gate)
        {
            return _listener != listener;
        }
    }

    private void Forget(ProxiedConnection connection)
    {
        lock (_gate)
        {
            _connections.Remove(connection);
        }
    }
}
