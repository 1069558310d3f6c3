using System.Net;
using System.Net.Sockets;

namespace EfScaling.Testing.Processes;

/// <summary>A TCP port of 127.0.0.1 that no other server of this package takes, even while nothing listens on it.</summary>
/// <remarks>
/// Ports come from below the range that systems use for outgoing connections: a port from that range could be taken by any client
/// while its server is stopped. A record lock on a shared file keeps other processes of the user away; it ends with the process.
/// </remarks>
internal sealed class PortLease : IDisposable
{
    private const int First = 15000;
    private const int End = 32000;

    private static readonly Lock Gate = new();
    private static readonly HashSet<int> Taken = [];
    private static FileStream? _file;

    private bool _disposed;

    private PortLease(int port)
    {
        Port = port;
    }

    public int Port { get; }

    public static PortLease Take()
    {
        lock (Gate)
        {
            for (var attempt = 0; attempt < 1000; attempt++)
            {
                var port = Random.Shared.Next(First, End);
                if (!Taken.Contains(port) && IsFree(port) && TryLock(port))
                {
                    Taken.Add(port);
                    return new PortLease(port);
                }
            }
        }

        throw new InvalidOperationException($"Found no free TCP port between {First} and {End} on 127.0.0.1: close programs that listen there.");
    }

    public void Dispose()
    {
        lock (Gate)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            Taken.Remove(Port);
            if (!OperatingSystem.IsMacOS())
            {
                _file!.Unlock(Port, 1);
            }
        }
    }

    private static bool IsFree(int port)
    {
        try
        {
            using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            probe.Bind(new IPEndPoint(IPAddress.Loopback, port));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    // One stream for the whole process: closing any other one on the same file would release all its record locks (fcntl(2)).
    private static bool TryLock(int port)
    {
        if (OperatingSystem.IsMacOS())
        {
            return true;
        }

        _file ??= new FileStream(
            Path.Combine(Path.GetTempPath(), $"efscaling-ports-{Environment.UserName}.lock"),
            FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite);
        try
        {
            _file.Lock(port, 1);
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }
}
