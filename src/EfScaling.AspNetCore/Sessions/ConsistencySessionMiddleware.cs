using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace EfScaling.AspNetCore.Sessions;

/// <summary>Runs each request in a consistency session.</summary>
/// <remarks>Thread-safe.</remarks>
internal sealed class ConsistencySessionMiddleware(
    RequestDelegate next, TokenTransport transport, IOptions<ConsistencySessionOptions> options, ILogger<ConsistencySessionMiddleware> logger)
{
    private readonly ConsistencySessionOptions _options = options.Value;

    /// <summary>Runs one request.</summary>
    public async Task InvokeAsync(HttpContext context)
    {
        using var session = RequestSessionOf(context).Begin(TokenTransport.IsSafe(context.Request.Method) ? null : _options.UnsafeMethodContract);
        await next(context).ConfigureAwait(false);
    }

    private RequestSession RequestSessionOf(HttpContext context)
    {
        if (context.Features.Get<RequestSession>() is { } known)
        {
            return known;
        }

        var session = new RequestSession(context, transport, _options.TokenTimeout, logger);
        context.Features.Set(session);
        if (!context.Response.HasStarted)
        {
            context.Response.OnStarting(static state => ((RequestSession)state).SendTokenAsync(), session);
        }

        return session;
    }
}
