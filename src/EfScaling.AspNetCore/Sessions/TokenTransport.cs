using EfScaling.Consistency;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Net.Http.Headers;

namespace EfScaling.AspNetCore.Sessions;

/// <summary>Reads the tokens that a request brings and writes the one that its response takes along.</summary>
/// <remarks>Thread-safe.</remarks>
internal sealed class TokenTransport(IOptions<ConsistencySessionOptions> options, ConsistencyTokenProtector protector, ILogger<TokenTransport> logger)
{
    private readonly ConsistencySessionOptions _options = options.Value;

    /// <summary>Returns all that the request's carriers ask for.</summary>
    /// <returns><see cref="ConsistencyToken.None"/> if they bring nothing; a token that is unknown if one of them was not written here.</returns>
    public ConsistencyToken Read(HttpRequest request)
    {
        var token = ConsistencyToken.None;
        if (Carries(SessionCarriers.Cookie))
        {
            token = token.Merge(Unprotect(request.Cookies[_options.Cookie.Name!], SessionCarriers.Cookie));
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
    /// <remarks>
    /// A shared cache that gave the response to other users would replace their tokens by this one, which knows nothing of their writes. So a response to a
    /// safe method becomes private, and one that the application gives to shared caches carries no token.
    /// </remarks>
    public void Write(HttpContext context, ConsistencyToken token)
    {
        if (IsSafe(context.Request.Method) && !KeepFromSharedCaches(context.Response))
        {
            return;
        }

        var text = protector.Protect(token);
        if (Carries(SessionCarriers.Cookie))
        {
            context.Response.Cookies.Append(_options.Cookie.Name!, text, _options.Cookie.Build(context));
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
