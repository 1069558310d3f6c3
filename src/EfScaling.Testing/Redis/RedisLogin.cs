namespace EfScaling.Testing.Redis;

/// <summary>How a client gets into a Redis server.</summary>
/// <param name="User">User to log in as; <see langword="null"/> means the user <c>default</c>.</param>
/// <param name="Password">Its password; <see langword="null"/> logs in without asking.</param>
/// <param name="Authority">Who must have signed the server's certificate; <see langword="null"/> connects without TLS.</param>
internal sealed record RedisLogin(string? User = null, string? Password = null, CertificateAuthority? Authority = null)
{
    /// <summary>The command that logs in; <see langword="null"/> when none is needed.</summary>
    public IReadOnlyList<string>? Command =>
        Password is null ? null
        : User is null ? ["AUTH", Password]
        : ["AUTH", User, Password];

    /// <summary>Returns the user only, so that no password gets into a message.</summary>
    public override string ToString() => User ?? "default";
}
