using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using EfScaling.Caching.Redis;
using EfScaling.Testing;

namespace EfScaling.IntegrationTests.Caching.Redis;

/// <summary>A server that speaks TLS on a port beside its own, with a certificate of which nobody knows the authority.</summary>
internal sealed class TlsRedis : IAsyncDisposable
{
    private readonly DirectoryInfo _folder;

    private TlsRedis(DirectoryInfo folder, RedisServer server, int port, string thumbprint) =>
        (_folder, Server, Endpoint, Thumbprint) = (folder, server, new RedisEndpoint(server.Host, port), thumbprint);

    public RedisServer Server { get; }

    /// <summary>Where it speaks TLS.</summary>
    public RedisEndpoint Endpoint { get; }

    public string Thumbprint { get; }

    /// <param name="host">Whose certificate it shows.</param>
    /// <param name="isExpired">Whether its time is over.</param>
    public static async Task<TlsRedis> StartAsync(string host, bool isExpired = false)
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest($"CN={host}", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        if (IPAddress.TryParse(host, out var address))
        {
            names.AddIpAddress(address);
        }
        else
        {
            names.AddDnsName(host);
        }

        request.CertificateExtensions.Add(names.Build());
        var now = TimeProvider.System.GetUtcNow();
        using var certificate = request.CreateSelfSigned(now.AddDays(-2), now.AddDays(isExpired ? -1 : 1));
        var folder = Directory.CreateTempSubdirectory("efscaling-tls-");
        var (shown, secret) = (Path.Combine(folder.FullName, "redis.crt"), Path.Combine(folder.FullName, "redis.key"));
        await File.WriteAllTextAsync(shown, certificate.ExportCertificatePem());
        await File.WriteAllTextAsync(secret, key.ExportPkcs8PrivateKeyPem());
        var port = FreePort();
        var server = await RedisServer.StartAsync(
            new() { Arguments = ["--tls-port", port.ToString(CultureInfo.InvariantCulture), "--tls-cert-file", shown, "--tls-key-file", secret, "--tls-ca-cert-file", shown, "--tls-auth-clients", "no"] });
        return new TlsRedis(folder, server, port, certificate.GetCertHashString());
    }

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
