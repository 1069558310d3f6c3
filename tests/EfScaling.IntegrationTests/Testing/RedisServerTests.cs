using System.Diagnostics;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
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
        var refusal = await Assert.ThrowsAsync<InvalidOperationException>(() => RedisConnection.OpenAsync(redis.Port, new RedisLogin(Password: "wrong"), Ct));
        Assert.Contains("WRONGPASS", refusal.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", refusal.Message, StringComparison.Ordinal);
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

    [ServerFact]
    public async Task Runs_single_commands_and_returns_their_replies_as_text()
    {
        await using var redis = await RedisServer.StartAsync(new() { Password = "s3cret" }, Ct);

        Assert.Equal("OK", await redis.ExecuteAsync("SET", "k", "two\r\nlines, ümlaut"));
        Assert.Equal("two\r\nlines, ümlaut", await redis.ExecuteAsync("GET", "k"));
        Assert.Equal("", await redis.ExecuteAsync("ECHO", ""));
        Assert.Null(await redis.ExecuteAsync("GET", "absent"));
        Assert.Equal("3", await redis.ExecuteAsync("RPUSH", "l", "a", "b", "c"));
        Assert.Equal("a\nb\nc", await redis.ExecuteAsync(["LRANGE", "l", "0", "-1"], Ct));
        Assert.Equal("", await redis.ExecuteAsync("LRANGE", "absent", "0", "-1"));
        Assert.Equal("OK", await redis.ExecuteAsync("CONFIG", "SET", "maxmemory", "10mb"));
        Assert.Equal("maxmemory\n10485760", await redis.ExecuteAsync("CONFIG", "GET", "maxmemory"));
        Assert.Equal("OK", await redis.ExecuteAsync("FLUSHALL"));
        Assert.Equal("0", await redis.ExecuteAsync("DBSIZE"));

        var refusal = await Assert.ThrowsAsync<InvalidOperationException>(() => redis.ExecuteAsync("SET", "k"));
        Assert.Contains("'SET': ERR wrong number of arguments", refusal.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ArgumentException>(() => redis.ExecuteAsync());

        await redis.SuspendAsync();
        using var soon = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => redis.ExecuteAsync(["PING"], soon.Token));
        await redis.KillAsync();
        await Assert.ThrowsAnyAsync<SocketException>(() => redis.ExecuteAsync("PING"));
    }

    [ServerFact]
    public async Task Clients_of_a_server_with_TLS_must_trust_its_authority()
    {
        await using var redis = await RedisServer.StartAsync(new() { Tls = true, Password = "s3cret" }, Ct);
        await using var other = await RedisServer.StartAsync(new() { Tls = true }, Ct);
        await using var plain = await RedisServer.StartAsync(cancellationToken: Ct);
        Assert.Equal("PONG", await redis.ExecuteAsync("PING"));
        Assert.Null(plain.CertificateAuthority);
        Assert.False(redis.CertificateAuthority!.HasPrivateKey);

        Assert.Equal(SslPolicyErrors.None, await ShakeHandsAsync(redis, trusted: redis.CertificateAuthority!, "127.0.0.1"));
        Assert.Equal(SslPolicyErrors.None, await ShakeHandsAsync(redis, trusted: redis.CertificateAuthority!, "localhost"));
        Assert.Equal(SslPolicyErrors.RemoteCertificateNameMismatch, await ShakeHandsAsync(redis, trusted: redis.CertificateAuthority!, "redis.example"));
        Assert.Equal(SslPolicyErrors.RemoteCertificateChainErrors, await ShakeHandsAsync(redis, trusted: other.CertificateAuthority!, "127.0.0.1"));
        await Assert.ThrowsAnyAsync<IOException>(() => RedisConnection.OpenAsync(redis.Port, new RedisLogin(Password: "s3cret"), Ct));
    }

    [ServerFact]
    public async Task Users_may_do_what_their_lines_say_and_the_package_everything()
    {
        await using var redis = await RedisServer.StartAsync(
            new() { Users = ["default off", "app on >secret ~cache:* +get +set", "idle off >secret ~* +@all"] }, Ct);
        await using var app = await RedisConnection.OpenAsync(redis.Port, new RedisLogin("app", "secret"), Ct);

        Assert.Equal(new RedisReply("OK"), await app.ExecuteAsync(["SET", "cache:1", "v"], Ct));
        Assert.Equal(new RedisReply("v"), await app.ExecuteAsync(["GET", "cache:1"], Ct));
        Assert.Contains("NOPERM", await RefusalAsync(app, "SET", "other", "v"), StringComparison.Ordinal);
        Assert.Contains("NOPERM", await RefusalAsync(app, "FLUSHALL"), StringComparison.Ordinal);
        Assert.Equal("1", await redis.ExecuteAsync("DBSIZE"));

        await using var nobody = await RedisConnection.OpenAsync(redis.Port, new RedisLogin(), Ct);
        Assert.Contains("NOAUTH", await RefusalAsync(nobody, "GET", "cache:1"), StringComparison.Ordinal);
        await Assert.ThrowsAsync<InvalidOperationException>(() => RedisConnection.OpenAsync(redis.Port, new RedisLogin("app", "wrong"), Ct));
        await Assert.ThrowsAsync<InvalidOperationException>(() => RedisConnection.OpenAsync(redis.Port, new RedisLogin("idle", "secret"), Ct));
        Assert.Throws<ArgumentException>(() => new RedisServerOptions { Users = ["app on\nrequirepass x"] });
    }

    [ServerFact]
    public async Task A_replica_follows_a_master_with_users_and_TLS_and_is_empty_after_a_restart_without_it()
    {
        var options = new RedisServerOptions { Tls = true, Users = ["default off"] };
        await using var master = await RedisServer.StartAsync(options, Ct);
        await master.ExecuteAsync("SET", "k", "v");
        await using var replica = await RedisServer.StartAsync(new() { ReplicaOf = master }, Ct);

        await Eventually.ThatAsync(async () => await replica.ExecuteAsync("GET", "k") == "v", TimeSpan.FromSeconds(10), "the replica to have the key", Ct);
        await Assert.ThrowsAsync<InvalidOperationException>(() => replica.ExecuteAsync("SET", "k", "w"));

        await master.KillAsync();
        await replica.KillAsync();
        await replica.StartAsync(Ct);
        Assert.Null(await replica.ExecuteAsync("GET", "k"));
        Assert.Equal("slave", (await replica.ExecuteAsync("ROLE"))!.Split('\n')[0]);
    }

    private static async Task<string> RefusalAsync(RedisConnection connection, params string[] command)
    {
        var reply = await connection.ExecuteAsync(command, Ct);
        Assert.True(reply.IsError, $"'{command[0]}' was not refused.");
        return reply.Text!;
    }

    private static async Task<SslPolicyErrors> ShakeHandsAsync(RedisServer redis, X509Certificate2 trusted, string name)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(redis.Host, redis.Port, Ct);
        var found = SslPolicyErrors.RemoteCertificateNotAvailable;
        var trust = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        trust.CustomTrustStore.Add(trusted);
        await using var stream = new SslStream(client.GetStream());
        var options = new SslClientAuthenticationOptions
        {
            TargetHost = name,
            CertificateChainPolicy = trust,
            RemoteCertificateValidationCallback = (_, _, _, errors) => (found = errors) == SslPolicyErrors.None,
        };
        try
        {
            await stream.AuthenticateAsClientAsync(options, Ct);
        }
        catch (AuthenticationException) when (found != SslPolicyErrors.None)
        {
            // What was found says why.
        }

        return found;
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
