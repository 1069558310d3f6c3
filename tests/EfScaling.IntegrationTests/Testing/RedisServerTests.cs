using System.Diagnostics;
using System.Net.Sockets;
using EfScaling.Testing;
using EfScaling.Testing.Redis;

namespace EfScaling.IntegrationTests.Testing;

public sealed class RedisServerTests(ITestOutputHelper output)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [ServerFact]
    public async Task Starts_stops_crashes_and_starts_again_on_the_same_port()
    {
        var start = Stopwatch.GetTimestamp();
        await using var redis = await RedisServer.StartAsync(cancellationToken: Ct);
        output.WriteLine($"Started Redis in {Stopwatch.GetElapsedTime(start).TotalMilliseconds:F0} ms.");
        var endpoint = redis.Endpoint;
        Assert.Equal("+PONG", await SendAsync(redis, "PING"));

        await redis.StopAsync(Ct);
        Assert.False(redis.IsRunning);
        await Assert.ThrowsAnyAsync<SocketException>(() => SendAsync(redis, "PING"));

        await redis.StartAsync(Ct);
        Assert.Equal("+PONG", await SendAsync(redis, "PING"));

        await redis.KillAsync();
        Assert.False(redis.IsRunning);
        await redis.StartAsync(Ct);
        Assert.Equal("+PONG", await SendAsync(redis, "PING"));
        Assert.Equal(endpoint, redis.Endpoint);
    }

    [ServerFact]
    public async Task A_suspended_server_hangs_until_it_is_continued()
    {
        await using var redis = await RedisServer.StartAsync(cancellationToken: Ct);

        await redis.SuspendAsync();
        var answer = SendAsync(redis, "PING");
        await Assert.ThrowsAsync<TimeoutException>(() => answer.WaitAsync(TimeSpan.FromMilliseconds(300), Ct));

        await redis.ContinueAsync();
        Assert.Equal("+PONG", await answer);
    }

    [ServerFact]
    public async Task Asks_for_the_password_and_takes_further_arguments()
    {
        await using var redis = await RedisServer.StartAsync(new() { Password = "s3cret#x", Arguments = ["--appendonly", "yes"] }, Ct);

        Assert.StartsWith("-NOAUTH", await SendAsync(redis, "SET k v"), StringComparison.Ordinal);
        Assert.False(await RedisPing.AnswersAsync(redis.Port, "wrong", Ct));
        Assert.True(await RedisPing.AnswersAsync(redis.Port, redis.Password, Ct));
        Assert.Equal("+OK +OK", await SendAsync(redis, "AUTH s3cret#x", "SET k v"));

        await redis.StopAsync(Ct);
        await redis.StartAsync(Ct);
        Assert.Equal("+OK $1 v", await SendAsync(redis, "AUTH s3cret#x", "GET k"));
    }

    [ServerFact]
    public async Task A_wrong_argument_fails_with_the_log_of_the_server()
    {
        var failure = await Assert.ThrowsAsync<ServerStartException>(() => RedisServer.StartAsync(new() { Arguments = ["--no-such-thing", "1"] }, Ct));

        Assert.Contains("no-such-thing", failure.Log, StringComparison.Ordinal);
    }

    private static async Task<string> SendAsync(RedisServer redis, params string[] commands)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(redis.Host, redis.Port, Ct);
        await using var stream = client.GetStream();
        await using var writer = new StreamWriter(stream) { NewLine = "\r\n", AutoFlush = true };
        using var reader = new StreamReader(stream);
        var answers = new List<string?>();
        foreach (var command in commands)
        {
            await writer.WriteLineAsync(command.AsMemory(), Ct);
            answers.Add(await reader.ReadLineAsync(Ct));
            if (answers[^1] is ['$', not '-', ..])
            {
                answers.Add(await reader.ReadLineAsync(Ct));
            }
        }

        return string.Join(' ', answers);
    }
}
