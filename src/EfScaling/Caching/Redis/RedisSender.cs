using System.Net.Sockets;

namespace EfScaling.Caching.Redis;

/// <summary>Sends the requests of one connection, as many at a time as have come together.</summary>
/// <remarks>
/// The first caller sends what it and others have written since. A caller sends only little and only while the socket has room, and leaves the rest to a
/// thread of the connection: nobody's time limit is spent on the bytes of others. Thread-safe.
/// </remarks>
internal sealed class RedisSender(Socket socket, Stream stream, Action<Exception> onBroken)
{
    /// <summary>Less than a socket with room takes without blocking.</summary>
    private const int LargestByCaller = 8 * 1024;

    private const int RoundsOfCaller = 3;

    /// <summary>More than this waits only for a server that has stopped to read.</summary>
    private const int MostWaiting = 32 * 1024 * 1024;

    private readonly object _gate = new();
    private RespWriter _collecting = new();
    private RespWriter _sending = new();
    private bool _isSending;
    private bool _isLeftToThread;
    private bool _isClosed;

    /// <summary>Starts the thread that sends what callers do not.</summary>
    public void Start() => new Thread(SendWhatIsLeft, 256 * 1024) { IsBackground = true, Name = "EfScaling Redis send" }.Start();

    /// <summary>Puts a request in line and sends it, or has it sent.</summary>
    /// <param name="request">The request.</param>
    /// <param name="enqueue">Called in the order in which requests are sent.</param>
    /// <param name="mayBlock">Whether this thread may use the socket.</param>
    /// <returns><see langword="false"/> if the connection has ended or too much waits.</returns>
    public bool TrySend(RedisRequest request, Action<RedisRequest> enqueue, bool mayBlock)
    {
        lock (_gate)
        {
            if (_isClosed || _collecting.Length > MostWaiting)
            {
                return false;
            }

            var start = _collecting.Length;
            try
            {
                request.Write(_collecting);
            }
            catch
            {
                _collecting.Truncate(start);
                throw;
            }

            enqueue(request);
            if (_isSending)
            {
                return true;
            }

            _isSending = true;
            if (!mayBlock)
            {
                LeaveToThread();
                return true;
            }
        }

        SendAsCaller();
        return true;
    }

    /// <summary>Sends nothing any more.</summary>
    public void Close()
    {
        lock (_gate)
        {
            _isClosed = true;
            Monitor.PulseAll(_gate);
        }
    }

    private void SendAsCaller()
    {
        for (var round = 0; ; round++)
        {
            lock (_gate)
            {
                if (_collecting.Length == 0 || _isClosed)
                {
                    _isSending = false;
                    return;
                }

                if (round == RoundsOfCaller || _collecting.Length > LargestByCaller || !HasRoom())
                {
                    LeaveToThread();
                    return;
                }

                (_collecting, _sending) = (_sending, _collecting);
            }

            if (!Send())
            {
                return;
            }
        }
    }

    private void SendWhatIsLeft()
    {
        while (true)
        {
            lock (_gate)
            {
                while ((!_isLeftToThread || _collecting.Length == 0) && !_isClosed)
                {
                    Monitor.Wait(_gate);
                }

                if (_isClosed)
                {
                    return;
                }

                (_collecting, _sending) = (_sending, _collecting);
            }

            if (!Send())
            {
                return;
            }

            lock (_gate)
            {
                if (_collecting.Length == 0)
                {
                    _isLeftToThread = false;
                    _isSending = false;
                }
            }
        }
    }

    // One thread at a time, the one that has set _isSending or was left it.
    private bool Send()
    {
        try
        {
            stream.Write(_sending.Written);
            _sending.Clear();
            return true;
        }
        catch (Exception broken) when (broken is IOException or ObjectDisposedException or SocketException or InvalidOperationException)
        {
            onBroken(broken);
            return false;
        }
    }

    private bool HasRoom()
    {
        try
        {
            return socket.Poll(0, SelectMode.SelectWrite);
        }
        catch (Exception closed) when (closed is ObjectDisposedException or SocketException)
        {
            return false;
        }
    }

    private void LeaveToThread()
    {
        _isLeftToThread = true;
        Monitor.PulseAll(_gate);
    }
}
