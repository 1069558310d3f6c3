using EfScaling.Consistency;
using EfScaling.Diagnostics;
using Microsoft.Extensions.Logging;

namespace EfScaling.Caching.Redis;

/// <summary>Keeps one connection to the server that is the master at present, or says why there is none.</summary>
/// <remarks>
/// A thread of its own connects, keeps time limits and asks whether the server is there. No caller ever waits for a connection, and none of it depends on
/// free threads of the pool. Thread-safe.
/// </remarks>
internal sealed class RedisLink : IDisposable
{
    private static readonly TimeSpan _shortestTick = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan _longestTick = TimeSpan.FromMilliseconds(100);

    private readonly object _gate = new();
    private readonly RedisConnector _connector;
    private readonly ILogger _logger;
    private readonly HashSet<(string Operation, string Reason)> _refusals = [];
    private RedisConnection? _connection;
    private Action<string?>? _changed;
    private volatile RedisFailure? _outage = new(RedisFailureKind.NotConnected, "it is not connected yet");
    private Moment _outageSince = Moment.Never;
    private string? _logged;
    private bool _wasConnected;
    private volatile bool _isDisposed;

    public RedisLink(RedisOptions options, RedisRights rights, TimeProvider clock, ILogger logger)
    {
        Options = options;
        Clock = clock;
        _logger = logger;
        _connector = new RedisConnector(options, rights, clock);
        Circuit = new RedisCircuit(options, clock);
        TooSlow = NoAnswerWithin(options.MaxWait);
        Name = options.ToString();
    }

    /// <summary>Gets the settings.</summary>
    public RedisOptions Options { get; }

    /// <summary>Gets the clock.</summary>
    public TimeProvider Clock { get; }

    /// <summary>Gets the name in logs and messages.</summary>
    public string Name { get; }

    /// <summary>Gets what decides when the server is left alone.</summary>
    public RedisCircuit Circuit { get; }

    /// <summary>Gets the prefixes of versions that were read.</summary>
    public RedisPrefixes Prefixes { get; } = new();

    /// <summary>Gets what operations fail with whose time is over.</summary>
    public RedisFailure TooSlow { get; }

    /// <summary>Gets the connection; <see langword="null"/> while there is none.</summary>
    public RedisConnection? Connection => Volatile.Read(ref _connection);

    /// <summary>Gets why there is none; <see langword="null"/> while there is one.</summary>
    public RedisFailure? Outage => _outage;

    /// <summary>Says that a server was too slow.</summary>
    public static RedisFailure NoAnswerWithin(TimeSpan limit) => new(RedisFailureKind.TimedOut, FormattableString.Invariant($"the server did not answer within {limit.TotalMilliseconds:0.#} ms"));

    /// <summary>Starts to connect.</summary>
    public void Start() => new Thread(Keep, 512 * 1024) { IsBackground = true, Name = "EfScaling Redis" }.Start();

    /// <summary>Adds one who is told of changes.</summary>
    public void Subscribe(Action<string?> changed)
    {
        lock (_gate)
        {
            _changed += changed;
            _connection?.Tracking.TurnOn(_connection);
        }
    }

    /// <summary>Tells of a change.</summary>
    public void Report(string? key) => Volatile.Read(ref _changed)?.Invoke(key);

    /// <summary>Notes that a connection has ended.</summary>
    public void Lost(RedisConnection connection, RedisFailure reason)
    {
        lock (_gate)
        {
            if (_connection != connection && _connection is not null)
            {
                return;
            }

            _connection = null;
            Interrupt(reason, atOnce: reason.Kind is RedisFailureKind.ConnectionLost or RedisFailureKind.ReadOnly);
            Monitor.PulseAll(_gate);
        }

        Report(null);
    }

    /// <summary>Notes that the server answers but refuses.</summary>
    public void Refused(RedisConnection connection, string operation, RedisFailure refusal)
    {
        bool isNew;
        lock (_gate)
        {
            isNew = _refusals.Add((operation, refusal.Text));
        }

        if (isNew)
        {
            _logger.StoreRefuses(Name, operation, refusal.Text);
        }

        if (refusal.EndsConnection)
        {
            connection.End(refusal);
        }
    }

    /// <inheritdoc />
    public void Dispose()
    {
        RedisConnection? connection;
        lock (_gate)
        {
            _isDisposed = true;
            connection = _connection;
            Monitor.PulseAll(_gate);
        }

        connection?.End(new(RedisFailureKind.NotConnected, "the store is disposed"));
    }

    private void Keep()
    {
        var tick = Options.MaxWait / 4 < Options.Heartbeat / 8 ? Options.MaxWait / 4 : Options.Heartbeat / 8;
        tick = tick < _shortestTick ? _shortestTick : tick > _longestTick ? _longestTick : tick;
        while (!_isDisposed)
        {
            if (Circuit.UntilProbe is var left && left > TimeSpan.Zero)
            {
                Pause(left);
            }
            else if (Connect() is { } connection)
            {
                while (connection.Ended is null && !_isDisposed)
                {
                    connection.Tend();
                    Pause(tick);
                }
            }
        }
    }

    private RedisConnection? Connect()
    {
        try
        {
            var (dialog, server) = _connector.Connect();
            var connection = new RedisConnection(this, dialog, server);
            connection.Start();
            Use(connection);
            return connection;
        }
        catch (RedisConnectException failed)
        {
            Fail(failed.Failure);
        }
        catch (Exception failed)
        {
            // An exception that leaves a thread ends the process; the cache is no reason for that.
            Fail(new(RedisFailureKind.NotConnected, $"connecting failed with {failed.GetType().Name}"));
        }

        return null;
    }

    private void Fail(RedisFailure failure)
    {
        lock (_gate)
        {
            Interrupt(failure, atOnce: false);
        }
    }

    private void Use(RedisConnection connection)
    {
        lock (_gate)
        {
            if (_isDisposed)
            {
                connection.Dispose();
                return;
            }

            if (connection.Ended is not null)
            {
                return;
            }

            if (_changed is not null)
            {
                connection.Tracking.TurnOn(connection);
            }

            Circuit.Close();
            _refusals.Clear();
            _connection = connection;
            _outage = null;
            LogRecovery(connection);
        }

        Report(null);
    }

    // Under the lock.
    private void Interrupt(RedisFailure failure, bool atOnce)
    {
        if (_outage is null)
        {
            _outageSince = Moment.Now(Clock);
        }

        _outage = failure;
        Circuit.Open(atOnce);
        if (!_isDisposed && _logged != failure.Text)
        {
            _logged = failure.Text;
            _logger.StoreUnavailable(Name, failure.Text);
        }
    }

    // Under the lock.
    private void LogRecovery(RedisConnection connection)
    {
        var server = connection.Server.Endpoint.ToString();
        if (_wasConnected)
        {
            _logger.StoreRecovered(Name, server, _outageSince.Until(Moment.Now(Clock), Clock).TotalSeconds);
        }
        else
        {
            _logger.StoreConnected(Name, server);
        }

        (_wasConnected, _logged) = (true, null);
    }

    private void Pause(TimeSpan time)
    {
        lock (_gate)
        {
            if (!_isDisposed && (_connection is null || _connection.Ended is null))
            {
                Monitor.Wait(_gate, time);
            }
        }
    }
}
