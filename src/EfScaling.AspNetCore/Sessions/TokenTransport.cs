using EfScaling.Consistency;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Net.Http.Headers;

namespace EfScaling.AspNetCore.Sessions;

/// <summary>Reads the tokens that a request brings and writes the one that its response takes along.</summary>
/// <remarks>
/// There are two cookies. Of two requests at the same time the one that ends last sets the cookie, and a page that polls would wipe out what a post beside
/// it has written. So responses to safe methods leave the cookie of the writes alone. Thread-safe.
/// </remarks>
internal sealed class TokenTransport(IOptions<ConsistencySessionOptions> options, ConsistencyTokenProtector protector, ILogger<TokenTransport> logger)
{
    private const string SeenSuffix = "-seen";

    private readonly ConsistencySessionOptions _options = options.Value;
    private readonly string _writtenCookie = options.Value.Cookie.Name!;
    private readonly string _seenCookie = options.Value.Cookie.Name + SeenSuffix;

    /// <summary>Returns all that the request's carriers ask for.</summary>
    /// <returns><see cref="ConsistencyToken.None"/> if they bring nothing; a token that is unknown if one of them was not written here.</returns>
    public ConsistencyToken Read(HttpRequest request)
    {
        var token = ConsistencyToken.None;
        if (Carries(SessionCarriers.Cookie))
        {
            token = token.Merge(Unprotect(request.Cookies[_writtenCookie], SessionCarriers.Cookie));
            token = token.Merge(Unprotect(request.Cookies[_seenCookie], SessionCarriers.Cookie));
        }

        if (Carries(SessionCarriers.Header))
        {
            foreach (var value in request.Headers[_options.HeaderName])
            {
                token = token.Merge(Unprotect(value, SessionCarriers.Header));
            }
        }

        return token;
    }

    /// <summary>Adds the token to a response that has not started.</summary>
    /// <param name="context">The request and its response.</param>
    /// <param name="token">What the user has written and seen.</param>
    /// <param name="brought">What the request has brought; a cookie that could not be used is replaced.</param>
    /// <remarks>
    /// A shared cache that gave the response to other users would replace their tokens by this one, which knows nothing of their writes. So a response to a
    /// safe method becomes private, and one that the application gives to shared caches carries no token.
    /// </remarks>
    public void Write(HttpContext context, ConsistencyToken token, ConsistencyToken brought)
    {
        var isSafe = IsSafe(context.Request.Method);
        if (isSafe && !KeepFromSharedCaches(context.Response))
        {
            return;
        }

        var text = protector.Protect(token);
        if (Carries(SessionCarriers.Cookie))
        {
            var attributes = _options.Cookie.Build(context);
            context.Response.Cookies.Append(_seenCookie, text, attributes);
            if (!isSafe || brought.IsUnknown)
            {
                context.Response.Cookies.Append(_writtenCookie, text, attributes);
            }
        }

        if (Carries(SessionCarriers.Header))
        {
            context.Response.Headers[_options.HeaderName] = text;
        }
    }

    /// <summary>Returns whether requests of a method only read (RFC 9110, 9.2.1).</summary>
    public static bool IsSafe(string method) => HttpMethods.IsGet(method) || HttpMethods.IsHead(method) || HttpMethods.IsOptions(method) || HttpMethods.IsTrace(method);

    private static bool KeepFromSharedCaches(HttpResponse response)
    {
        var headers = response.GetTypedHeaders();
        var caching = headers.CacheControl ?? new CacheControlHeaderValue();
        if (caching.Public || caching.SharedMaxAge is not null)
        {
            return false;
        }

        if (!caching.NoStore && !caching.Private)
        {
            caching.Private = true;
            headers.CacheControl = caching;
        }

        return true;
    }

    private bool Carries(SessionCarriers carrier) => (_options.Carriers & carrier) != 0;

    private ConsistencyToken Unprotect(string? text, SessionCarriers carrier)
    {
        var token = protector.Unprotect(text);
        if (token.IsUnknown)
        {
            logger.TokenRefused(carrier.ToString());
        }

        return token;
    }
}
