using System.Globalization;
using System.Reflection;
using System.Text;
using EfScaling.Testing;
using StackExchange.Redis;

namespace EfScaling.StackExchangeRedis.Tests;

/// <summary>Plays the multiplexer, its database and its subscriber over a plain socket, for the calls that the store makes.</summary>
/// <remarks>
/// So that scripts, arguments and replies are tried against a real Redis also where StackExchange.Redis itself cannot run. How it connects again is not played.
/// </remarks>
internal sealed class PlainRedis : IDisposable
{
    private readonly RedisServer _server;
    private readonly List<RespConnection> _listening = [];
    private RespConnection? _connection;

    public PlainRedis(RedisServer server)
    {
        _server = server;
        Reconnect();
        Database = Play<IDatabase>();
        Subscriber = Play<ISubscriber>();
        Multiplexer = Play<IConnectionMultiplexer>();
    }

    public IConnectionMultiplexer Multiplexer { get; }

    private IDatabase Database { get; }

    private ISubscriber Subscriber { get; }

    /// <summary>Goes to the server that runs at the address now.</summary>
    public void Reconnect() => _connection = new RespConnection(_server.Host, _server.Port);

    public void Dispose()
    {
        _connection?.Dispose();
        _listening.ForEach(c => c.Dispose());
    }

    private T Play<T>()
        where T : class
    {
        var proxy = DispatchProxy.Create<T, Role>();
        ((Role)(object)proxy).Redis = this;
        return proxy;
    }

    private object? Call(MethodInfo method, object?[] args)
    {
        switch (method.Name)
        {
            case "get_IsConnected":
                return true;
            case "get_Database":
                return 0;
            case nameof(IConnectionMultiplexer.GetDatabase):
                return Database;
            case nameof(IConnectionMultiplexer.GetSubscriber):
                return Subscriber;
            case nameof(IConnectionMultiplexer.GetEndPoints):
                return new[] { System.Net.IPEndPoint.Parse(_server.Endpoint) };
            case nameof(ISubscriber.Subscribe):
                return Listen((RedisChannel)args[0]!);
            case nameof(IDatabase.ScriptEvaluate):
                return Evaluate(args);
            case nameof(IDatabase.ScriptEvaluateAsync):
                return Run(() => Evaluate(args));
            case nameof(IDatabase.StringSetAsync):
                return Run(() => Send("SET", (RedisKey)args[0]!, (RedisValue)args[1]!, "PX", Milliseconds(args[2])) is not null);
            case nameof(IDatabase.KeyExpireAsync):
                return Run(() => Send("PEXPIRE", (RedisKey)args[0]!, Milliseconds(args[1])) is 1L);
            case nameof(IDatabase.LockTakeAsync):
                return Run(() => Send("SET", (RedisKey)args[0]!, (RedisValue)args[1]!, "NX", "PX", Milliseconds(args[2])) is not null);
            case nameof(IDatabase.LockReleaseAsync):
                return Run(() => Send("EVAL", "return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('DEL', KEYS[1])", "1", (RedisKey)args[0]!, (RedisValue)args[1]!) is 1L);
            case { } name when name.StartsWith("add_", StringComparison.Ordinal) || name.StartsWith("remove_", StringComparison.Ordinal):
                return null;
            default:
                throw new NotSupportedException($"'{method.Name}' is not played.");
        }
    }

    private static Task<T> Run<T>(Func<T> call) => Task.Run(call);

    private static RedisValue Milliseconds(object? span) => (long)((TimeSpan)span!).TotalMilliseconds;

    private static byte[] Word(object word) => word switch
    {
        RedisKey key => (byte[])key!,
        RedisValue value => (byte[])value!,
        string text => Encoding.UTF8.GetBytes(text),
        _ => throw new NotSupportedException($"'{word}' cannot be sent."),
    };

    private static RedisResult Result(object? reply) => reply switch
    {
        null => RedisResult.Create(RedisValue.Null),
        byte[] bytes => RedisResult.Create((RedisValue)bytes),
        long number => RedisResult.Create((RedisValue)number),
        object?[] items => RedisResult.Create(items.Select(Result).ToArray()),
        _ => throw new NotSupportedException(),
    };

    private object? Send(params object[] words)
    {
        try
        {
            return _connection!.Send([.. words.Select(Word)]);
        }
        catch (InvalidOperationException refused)
        {
            throw new RedisServerException(refused.Message);
        }
        catch (IOException lost)
        {
            throw new RedisConnectionException(ConnectionFailureType.SocketClosed, lost.Message);
        }
    }

    private RedisResult Evaluate(object?[] args)
    {
        var keys = (RedisKey[])args[1]!;
        var values = (RedisValue[])args[2]!;
        return Result(Send(["EVAL", (string)args[0]!, keys.Length.ToString(CultureInfo.InvariantCulture), .. keys.Cast<object>(), .. values.Cast<object>()]));
    }

    // The queue has no public constructor.
    private ChannelMessageQueue Listen(RedisChannel channel)
    {
        var constructor = typeof(ChannelMessageQueue).GetConstructors(BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public).Single();
        var queue = (ChannelMessageQueue)constructor.Invoke([channel, null]);
        var write = typeof(ChannelMessageQueue).GetMethod("Write", BindingFlags.Instance | BindingFlags.NonPublic)!;
        var connection = new RespConnection(_server.Host, _server.Port);
        _listening.Add(connection);
        connection.Send("SUBSCRIBE"u8.ToArray(), (byte[])channel!);
        new Thread(() =>
        {
            try
            {
                while (connection.Receive() is object?[] message)
                {
                    write.Invoke(queue, [channel, (RedisValue)(byte[])message[2]!]);
                }
            }
            catch (Exception exception) when (exception is IOException or ObjectDisposedException or NotSupportedException)
            {
                // The end of the test, or of the server; a stream that is disposed in the middle says that it cannot be read.
            }
        }) { IsBackground = true }.Start();
        return queue;
    }

    /// <summary>Hands each call on.</summary>
#pragma warning disable CA1852 // The type that plays an interface is derived from this one at run time.
    internal class Role : DispatchProxy
    {
        public PlainRedis? Redis { get; set; }

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => Redis!.Call(targetMethod!, args!);
    }
#pragma warning restore CA1852
}
