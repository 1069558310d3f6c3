using System.Globalization;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using EfScaling.Caching;
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
    public async Task A_user_who_may_too_little_is_told_which_command()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var admin = await ConnectAsync(OptionsOf(redis));
        foreach (var command in new[] { "eval", "evalsha", "info" })
        {
            admin.Run("ACL", "SETUSER", "app", "reset", "on", ">pw", "~*", "+@all", $"-{command}");
            await using var app = Start(OptionsOf(redis) with { User = "app", Password = "pw" });
            await app.FailsWithAsync($"the user 'app' may not run '{command}' (ACL); allow it with ACL SETUSER app +{command}");
        }

        foreach (var command in new[] { "mget", "incr" })
        {
            admin.Run("ACL", "SETUSER", "app", "reset", "on", ">pw", "~*", "+@all", $"-{command}");
            await using var app = await ConnectAsync(OptionsOf(redis) with { User = "app", Password = "pw" });
            var failure = command == "mget" ? app.Store.Read(Entry, [Orders]).Failure : (await BumpOfExistingAsync(app)).Failure;
            if (command == "mget")
            {
                Assert.Contains($"may not run '{command}'", failure, StringComparison.Ordinal);
            }
            else
            {
                // A bump that may not count removes the version, which bumps it as well.
                Assert.Null(failure);
                Assert.Equal("", admin.Run("GET", Orders));
            }
        }

        admin.Run("ACL", "SETUSER", "app", "reset", "on", ">pw", "~other:*", "+@all");
        await using var elsewhere = await ConnectAsync(OptionsOf(redis) with { User = "app", Password = "pw" });
        Assert.Contains("keys", elsewhere.Store.Read(Entry, [Orders]).Failure, StringComparison.Ordinal);

        static async Task<CacheAnswer> BumpOfExistingAsync(RedisStores app)
        {
            await app.ReadAsync(Orders);
            return await app.Store.BumpAsync([Orders], null, default);
        }
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
        using var folder = new CertificateFolder();
        var port = FreePort();
        await using var redis = await RedisServer.StartAsync(
            new() { Arguments = ["--tls-port", port.ToString(CultureInfo.InvariantCulture), "--tls-cert-file", folder.Certificate, "--tls-key-file", folder.Key, "--tls-ca-cert-file", folder.Certificate, "--tls-auth-clients", "no"] });
        var options = OptionsOf(redis) with { Endpoints = [new(redis.Host, port)], UseTls = true, MaxWait = TimeSpan.FromSeconds(1) };

        await using var untrusting = Start(options);
        await untrusting.FailsWithAsync("TLS handshake failed");

        await using var trusting = await ConnectAsync(options with { TlsHost = "cache.example", CertificateValidation = (_, certificate, _, _) => certificate?.GetCertHashString() == folder.Thumbprint });
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

    private static int FreePort()
    {
        using var listener = new TcpListener(System.Net.IPAddress.Loopback, 0);
        listener.Start();
        return ((System.Net.IPEndPoint)listener.LocalEndpoint).Port;
    }

    private sealed class CertificateFolder : IDisposable
    {
        private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("efscaling-tls-");

        public CertificateFolder()
        {
            using var key = RSA.Create(2048);
            var request = new CertificateRequest("CN=cache.example", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
            var now = TimeProvider.System.GetUtcNow();
            using var certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
            Thumbprint = certificate.GetCertHashString();
            File.WriteAllText(Certificate, certificate.ExportCertificatePem());
            File.WriteAllText(Key, key.ExportPkcs8PrivateKeyPem());
        }

        public string Thumbprint { get; }

        public string Certificate => Path.Combine(_folder.FullName, "redis.crt");

        public string Key => Path.Combine(_folder.FullName, "redis.key");

        public void Dispose() => _folder.Delete(recursive: true);
    }
}
