using System.Globalization;
using EfScaling.IntegrationTests.Testing;
using EfScaling.Testing;
using static EfScaling.IntegrationTests.Caching.Redis.RedisStores;

namespace EfScaling.IntegrationTests.Caching.Redis;

public sealed class RedisRefusalTests
{
    [ServerFact]
    public async Task A_wrong_or_missing_password_is_named_and_not_shown()
    {
        await using var redis = await RedisServer.StartAsync(new() { Password = "s3cret#x" });
        await using var wrong = Start(OptionsOf(redis) with { Password = "wr0ng#x" });
        await using var missing = Start(OptionsOf(redis) with { Password = null });

        await wrong.FailsWithAsync("refuses the password of the user 'default'");
        await missing.FailsWithAsync("asks for a password");
        Assert.DoesNotContain(wrong.Events.Events, e => e.Message.Contains("wr0ng", StringComparison.Ordinal));
        Assert.Contains("password", wrong.Store.Read(Entry, [Orders]).Failure, StringComparison.Ordinal);
    }

    [ServerFact]
    public async Task A_replica_is_refused_and_the_master_among_several_servers_is_found()
    {
        await using var master = await RedisServer.StartAsync();
        await using var replica = await RedisServer.StartAsync(new() { Arguments = ["--replicaof", master.Host, master.Port.ToString(CultureInfo.InvariantCulture)] });

        await using var wrong = Start(OptionsOf(replica));
        await wrong.FailsWithAsync("read-only replica");

        await using var right = await ConnectAsync(OptionsOf(replica) with { Endpoints = [new(replica.Host, replica.Port), new(master.Host, master.Port)] });
        Assert.True(right.Store.Bump([Orders], null).IsDone);
    }

    [ServerFact]
    public async Task A_master_that_becomes_a_replica_is_left()
    {
        await using var other = await RedisServer.StartAsync();
        await using var redis = await RedisServer.StartAsync();
        await using var stores = await ConnectAsync(OptionsOf(redis));
        var before = await stores.ReadAsync(Orders);

        stores.Run("REPLICAOF", other.Host, other.Port.ToString(CultureInfo.InvariantCulture));
        await stores.FailsWithAsync("replica");
        stores.Run("REPLICAOF", "NO", "ONE");
        await stores.IsUsableAsync();

        Assert.NotEqual(before.Incarnation, (await stores.ReadAsync(Orders)).Incarnation);
    }

    [ServerFact]
    public async Task Speaks_TLS_with_a_server_whose_certificate_is_accepted()
    {
        await using var redis = await TlsRedis.StartAsync("cache.example");
        var options = OptionsOf(redis.Server) with { Endpoints = [redis.Endpoint], UseTls = true, MaxWait = TimeSpan.FromSeconds(1) };

        await using var untrusting = Start(options);
        await untrusting.FailsWithAsync("TLS handshake failed: the certificate is refused (RemoteCertificateNameMismatch, UntrustedRoot)");

        await using var refusing = Start(options with { TlsHost = "cache.example", CertificateValidation = (_, _, _, _) => false });
        await refusing.FailsWithAsync("the certificate is refused (UntrustedRoot)");

        await using var trusting = await ConnectAsync(options with { TlsHost = "cache.example", CertificateValidation = (_, certificate, _, _) => certificate?.GetCertHashString() == redis.Thumbprint });
        var value = new byte[200_000];
        await trusting.ReadAsync(Orders);
        Assert.True((await trusting.Store.WriteAsync(Entry, value, TimeSpan.FromMinutes(1), default)).IsDone);
        var readings = await Task.WhenAll(Enumerable.Range(0, 32).Select(_ => trusting.ReadAsync(Orders)));
        Assert.All(readings, r => Assert.Equal(value.Length, r.Entry!.Value.Length));
        Assert.True(trusting.Store.Bump([Orders], null).IsDone);
        await trusting.IsToldAsync(Orders);

        await using var plain = Start(options with { UseTls = false });
        await plain.FailsWithAsync("connection");
    }
}
