using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Text;
using EfScaling.Consistency;
using EfScaling.Diagnostics;

namespace EfScaling.Caching.Redis;

/// <summary>One connection to one server, shared by all operations, and by the server's reports of changes.</summary>
/// <remarks>
/// Answers come in the order of the requests, and reports between them in the order in which things happened: that is why there is one connection. A thread
/// of its own reads, so that callers which block need no thread of the pool to be woken. Thread-safe.
/// </remarks>
internal sealed class RedisConnection : IDisposable
{
    /// <summary>What an answer from a server nearby takes at most.</summary>
    public static readonly TimeSpan Nearby = TimeSpan.FromMicroseconds(150);

    private readonly Socket _socket;
    private readonly Stream _stream;
    private readonly byte[] _early;
    private readonly RedisOptions _options;
    private readonly RedisLink _link;
    private readonly TimeProvider _clock;
    private readonly RedisSender _sender;
    private readonly ConcurrentQueue<RedisRequest> _expected = new();
    private readonly Action<RedisRequest> _expect;
    private RedisFailure? _end;
    private long _heardAt;
    private RedisHeartbeatRequest? _heartbeat;

    /// <param name="link">Who uses it.</param>
    /// <param name="dialog">The connection, with which nothing is outstanding; taken over.</param>
    /// <param name="server">Where it leads.</param>
    public RedisConnection(RedisLink link, RedisDialog dialog, RedisServerIdentity server)
    {
        _link = link;
        _options = link.Options;
        _clock = link.Clock;
        (_socket, _stream, _early) = (dialog.Socket, dialog.Stream, dialog.Rest);
        Server = server;
        Tracking = new RedisTracking(link.Prefixes);
        _heardAt = Moment.Now(_clock).Timestamp;
        _expect = _expected.Enqueue;
        _sender = new RedisSender(_socket, _stream, broken => End(new(RedisFailureKind.ConnectionLost, $"the connection broke while sending ({Cause(broken)})")));
    }

    /// <summary>Gets where it leads.</summary>
    public RedisServerIdentity Server { get; }

    /// <summary>Gets what makes the server report changes.</summary>
    public RedisTracking Tracking { get; }

    /// <summary>Gets the user of the connection.</summary>
    public string? User => _options.User;

    /// <summary>Gets why it ended; <see langword="null"/> while it has not.</summary>
    public RedisFailure? Ended => Volatile.Read(ref _end);

    /// <summary>Gets how long ago the server was heard: an answer, or a report of a change.</summary>
    public TimeSpan Silence => HeardAt.Until(Moment.Now(_clock), _clock);

    /// <summary>Gets whether the server was heard a short while ago.</summary>
    public bool WasHeard => Silence < _options.Heartbeat;

    /// <summary>Gets whether the newest answer came from nearby.</summary>
    public bool IsNear { get; private set; }

    private Moment HeardAt => new(Volatile.Read(ref _heardAt));

    /// <summary>Starts its threads.</summary>
    public void Start()
    {
        _sender.Start();
        new Thread(Receive, 512 * 1024) { IsBackground = true, Name = "EfScaling Redis receive" }.Start();
    }

    /// <summary>Sends a request, or fails it.</summary>
    public void Send(RedisRequest request) => Send(request, mayBlock: true);

    /// <summary>Fails a request whose time is over.</summary>
    public void Expire(RedisRequest request)
    {
        if (request.IsPending && request.Fail(_link.TooSlow) && _link.Circuit.TimedOut(request.Started))
        {
            End(_link.TooSlow);
        }
    }

    /// <summary>Fails what is overdue, asks the server whether it is there, and ends the connection if it is not.</summary>
    public void Tend()
    {
        var now = Moment.Now(_clock);
        if (_expected.TryPeek(out var oldest))
        {
            if (oldest.Started.Until(now, _clock) > _options.Heartbeat && HeardAt.Until(now, _clock) > _options.Heartbeat)
            {
                End(new(RedisFailureKind.TimedOut, "the server has fallen silent"));
                return;
            }

            // The oldest may have more time than those behind it.
            if (oldest.Started.Until(now, _clock) >= _options.MaxWait)
            {
                foreach (var request in _expected)
                {
                    if (request.Started.Until(now, _clock) >= request.Limit)
                    {
                        Expire(request);
                    }
                }
            }
        }

        Beat(now);
    }

    /// <summary>Asks for reports of changes of all keys with a prefix.</summary>
    /// <param name="prefixes">None starts with another.</param>
    /// <param name="startsAnew">Whether to forget all former prefixes.</param>
    public void Track(IReadOnlyList<string> prefixes, bool startsAnew)
    {
        var now = Moment.Now(_clock);
        if (startsAnew)
        {
            Send(new RedisTrackingRequest(null, now, _clock), mayBlock: false);
        }

        Send(new RedisTrackingRequest(prefixes, now, _clock) { StartsAnew = startsAnew }, mayBlock: false);
    }

    /// <summary>Tells the subscribers of a change.</summary>
    public void Report(string? key) => _link.Report(key);

    /// <summary>Ends the connection and fails what waits for answers. Does nothing the second time.</summary>
    public void End(RedisFailure reason)
    {
        if (Interlocked.CompareExchange(ref _end, reason, null) is not null)
        {
            return;
        }

        // First, so that no caller takes it any more, and the cache of this process knows that changes may go unreported.
        _link.Lost(this, reason);
        _sender.Close();
        Dispose();
        while (_expected.TryDequeue(out var request))
        {
            request.Fail(reason);
        }
    }

    /// <inheritdoc />
    public void Dispose()
    {
        // Not the stream: that of TLS says goodbye over a socket that may be full. The socket's end wakes both threads.
        _socket.Dispose();
    }

    private static string Cause(Exception broken) =>
        (broken as SocketException ?? broken.InnerException as SocketException) is { } socket ? socket.SocketErrorCode.ToString() : "it was closed";

    private void Send(RedisRequest request, bool mayBlock)
    {
        if (!_sender.TrySend(request, _expect, mayBlock))
        {
            request.Fail(Ended ?? new(RedisFailureKind.NotConnected, "too much waits to be sent to the server"));
        }
    }

    // INFO rather than PING: a server can be made a replica, given older data and be made a master again without closing a connection.
    private void Beat(Moment now)
    {
        if (_heartbeat is { IsPending: true } || (_heartbeat is { } last && last.Started.Until(now, _clock) < _options.Heartbeat / 2))
        {
            return;
        }

        _heartbeat = new RedisHeartbeatRequest(now, _options.Heartbeat, _clock);
        Send(_heartbeat, mayBlock: false);
    }

    private void Receive()
    {
        try
        {
            var buffer = new RedisReceiveBuffer(_early);
            while (true)
            {
                while (buffer.TryTake(out var answer))
                {
                    Take(answer);
                }

                if (!buffer.Fill(_stream))
                {
                    End(new(RedisFailureKind.ConnectionLost, "the server closed the connection"));
                    return;
                }

                Volatile.Write(ref _heardAt, _clock.GetTimestamp());
            }
        }
        catch (RespException broken)
        {
            End(new(RedisFailureKind.Protocol, $"the server does not speak the protocol of Redis: {broken.Message}"));
        }
        catch (Exception broken) when (broken is IOException or ObjectDisposedException or SocketException or InvalidOperationException)
        {
            End(new(RedisFailureKind.ConnectionLost, $"the connection broke ({Cause(broken)})"));
        }
        catch (Exception broken)
        {
            // Whatever it is, an exception that leaves a thread ends the process.
            End(new(RedisFailureKind.Protocol, $"reading an answer failed with {broken.GetType().Name}"));
        }
    }

    private void Take(ReadOnlySpan<byte> answer)
    {
        if (answer[0] == (byte)RespType.Push)
        {
            TakeReport(new RespReader(answer));
            return;
        }

        if (!_expected.TryDequeue(out var request))
        {
            throw new RespException(Ended is null ? "There is an answer to nothing." : "The connection has ended.");
        }

        CachingMeter.CountRoundTrip(request.Operation);
        if (!request.IsPending)
        {
            return;
        }

        IsNear = request.Started.Until(HeardAt, _clock) < 2 * Nearby;
        if (request.Accept(new RespReader(answer), this))
        {
            _link.Circuit.Answered();
            if (request.Refusal is { } refusal)
            {
                _link.Refused(this, request.Operation, refusal);
            }
        }
        else
        {
            Send(request, mayBlock: false);
        }
    }

    private void TakeReport(RespReader push)
    {
        var parts = push.ReadAggregate();
        if (parts < 2 || !push.Read().Text.SequenceEqual("invalidate"u8))
        {
            return;
        }

        var keys = push.Read();
        if (!keys.IsAggregate)
        {
            // All keys were removed.
            Report(null);
        }

        for (long i = 0; i < keys.Count; i++)
        {
            Report(Encoding.UTF8.GetString(push.Read().Text));
        }
    }
}
