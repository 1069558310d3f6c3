using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EfScaling.AspNetCore.ShardKeys;

/// <summary>Shows each request to its scope of services, and answers requests whose shard key cannot be used.</summary>
/// <remarks>The key is read when the context is asked for: by then the route is matched and the user known, and requests that need no context need no key. Thread-safe.</remarks>
internal sealed class ShardKeyMiddleware(RequestDelegate next, ILogger<ShardKeyMiddleware> logger)
{
    /// <summary>Runs one request.</summary>
    public async Task InvokeAsync(HttpContext context)
    {
        context.RequestServices.GetRequiredService<RequestKeyScope>().Request = context;
        try
        {
            await next(context).ConfigureAwait(false);
        }
        catch (RequestKeyException refusal) when (!context.Response.HasStarted)
        {
            logger.RequestKeyRefused(refusal.Reason.ToString(), refusal.Message);
            await AnswerAsync(context, refusal).ConfigureAwait(false);
        }
    }

    private static async Task AnswerAsync(HttpContext context, RequestKeyException refusal)
    {
        context.Response.Clear();
        context.Response.StatusCode = refusal.StatusCode;
        await Results.Problem(refusal.Message, statusCode: refusal.StatusCode).ExecuteAsync(context).ConfigureAwait(false);
    }
}
