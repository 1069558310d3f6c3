using EfScaling.Consistency;
using Microsoft.AspNetCore.Http;

namespace EfScaling.AspNetCore.Sessions;

/// <summary>Settings of <c>UseConsistencySessions</c>.</summary>
/// <remarks>Read once, when the application starts. Only <see cref="SigningKeys"/> has no default that works.</remarks>
public sealed class ConsistencySessionOptions
{
    /// <summary>Gets the keys that tokens are signed with, of at least 16 bytes each and the same on every instance.</summary>
    /// <value>The first key signs; all of them are accepted, so that keys can be changed one instance at a time. In configuration files: base64.</value>
    public IList<byte[]> SigningKeys { get; } = [];

    /// <summary>Gets or sets what carries the token; <see cref="SessionCarriers.All"/> by default.</summary>
    public SessionCarriers Carriers { get; set; } = SessionCarriers.All;

    /// <summary>Gets the cookie's name and attributes.</summary>
    /// <value>By default <c>efscaling-session</c>, HttpOnly, SameSite=Lax, Path=/, Secure when the request is https, until the browser is closed.</value>
    /// <remarks>
    /// A second cookie of the same attributes, its name followed by <c>-seen</c>, carries what GET requests saw, so that they never replace what a request
    /// beside them has written. Both count as essential, so that a consent policy keeps them: they hold positions in the servers' logs, nothing about the user.
    /// </remarks>
    public CookieBuilder Cookie { get; } = new()
    {
        Name = "efscaling-session",
        HttpOnly = true,
        SameSite = SameSiteMode.Lax,
        SecurePolicy = CookieSecurePolicy.SameAsRequest,
        Path = "/",
        IsEssential = true,
    };

    /// <summary>Gets or sets the name of the request and response header; <c>EfScaling-Session</c> by default.</summary>
    public string HeaderName { get; set; } = "EfScaling-Session";

    /// <summary>Gets or sets what reads ask of their data in requests of other methods than GET, HEAD, OPTIONS and TRACE.</summary>
    /// <value><see langword="null"/>, the default, for the default of the context; <see cref="ReadContract.Primary"/> makes such requests read the primary.</value>
    /// <remarks>A query's <c>WithContract</c> and a context's <c>UseContract</c> win.</remarks>
    public ReadContract? UnsafeMethodContract { get; set; }

    /// <summary>Gets or sets how long the start of a response may wait for the primary to say how far its log has grown; 1 second by default.</summary>
    /// <value>Greater than zero. When the time is over, the response goes out with a token that makes the next request find out.</value>
    public TimeSpan TokenTimeout { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Adds a key of <see cref="SigningKeys"/> by its text.</summary>
    /// <param name="base64">At least 16 bytes in base64, as <c>openssl rand -base64 32</c> writes them, from a secret store or the configuration.</param>
    /// <returns>The same options.</returns>
    /// <exception cref="ArgumentException">The text is missing or is no base64.</exception>
    public ConsistencySessionOptions AddSigningKey(string? base64)
    {
        const string Remedy = "Make one with 'openssl rand -base64 32', keep it as a secret, and give every instance the same.";
        if (string.IsNullOrWhiteSpace(base64))
        {
            throw new ArgumentException($"The signing key of the consistency sessions is missing from the configuration. {Remedy}", nameof(base64));
        }

        var key = new byte[base64.Length];
        if (!Convert.TryFromBase64String(base64, key, out var length))
        {
            throw new ArgumentException($"The signing key of the consistency sessions is no base64. {Remedy}", nameof(base64));
        }

        SigningKeys.Add(key[..length]);
        return this;
    }
}
