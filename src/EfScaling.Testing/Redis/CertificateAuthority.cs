using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace EfScaling.Testing.Redis;

/// <summary>A certificate authority that exists for some test servers only. Immutable.</summary>
/// <remarks>Kept as text: the servers that share it end at different times, and none of them owns it.</remarks>
internal sealed record CertificateAuthority
{
    private const string ServerAuthentication = "1.3.6.1.5.5.7.3.1";
    private const string ClientAuthentication = "1.3.6.1.5.5.7.3.2";

    private static readonly TimeSpan ClockSkew = TimeSpan.FromDays(1);
    private static readonly TimeSpan Lifetime = TimeSpan.FromDays(30);

    private readonly string _key;

    /// <summary>Makes up a new authority.</summary>
    public CertificateAuthority()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=EfScaling test authority", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: true, pathLengthConstraint: 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        var now = TimeProvider.System.GetUtcNow();
        using var certificate = request.CreateSelfSigned(now - ClockSkew, now + Lifetime);
        Pem = certificate.ExportCertificatePem();
        _key = key.ExportPkcs8PrivateKeyPem();
    }

    /// <summary>The authority's certificate, as text.</summary>
    public string Pem { get; }

    /// <summary>The authority's certificate without its key, a new object each time.</summary>
    public X509Certificate2 Certificate() => X509Certificate2.CreateFromPem(Pem);

    /// <summary>Signs a new certificate for a server on 127.0.0.1.</summary>
    /// <returns>Certificate and private key, as text.</returns>
    public (string Certificate, string Key) Issue()
    {
        using var issuer = X509Certificate2.CreateFromPem(Pem, _key);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=127.0.0.1", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        names.AddDnsName("localhost");
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, hasPathLengthConstraint: false, pathLengthConstraint: 0, critical: true));

        // A replica is a client of its master and shows the same certificate there.
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(ServerAuthentication), new Oid(ClientAuthentication)], critical: false));
        using var certificate = request.Create(issuer, issuer.NotBefore, issuer.NotAfter, RandomNumberGenerator.GetBytes(16));
        return (certificate.ExportCertificatePem(), key.ExportPkcs8PrivateKeyPem());
    }

    /// <summary>Returns what identifies the authority; never its key.</summary>
    public override string ToString() => "EfScaling test authority";
}
