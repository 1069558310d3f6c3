using EfScaling.Consistency;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace EfScaling.AspNetCore.Sessions;

/// <summary>The consistency session of one request, which gives its token to the response.</summary>
internal sealed class RequestSession(HttpContext context, TokenTransport transport, TimeSpan timeout, ILogger logger)
{
    private readonly ConsistencyToken _brought = transport.Read(context.Request);
    private ConsistencySession? _session;

    /// <summary>Begins the session for the running code and what it calls.</summary>
    /// <param name="contract">What its reads ask for; <see langword="null"/> for the default of the context.</param>
    /// <remarks>A request that is executed again, as the error page of another, goes on with what it knew.</remarks>
    public ConsistencySession Begin(ReadContract? contract) => _session = ConsistencySession.Begin(_session?.Token ?? _brought, contract);

    /// <summary>Gives the token to the response, unless the request brought the same. Never throws.</summary>
    /// <remarks>To be called when the response starts: all that the request has written by then is covered.</remarks>
    public async Task SendTokenAsync()
    {
        var token = await TokenAsync(_session!).ConfigureAwait(false);
        if (!token.Equals(ConsistencyToken.None) && !token.Equals(_brought))
        {
            transport.Write(context, token, _brought);
        }
    }

    private async Task<ConsistencyToken> TokenAsync(ConsistencySession session)
    {
        try
        {
            return await session.GetTokenAsync(context.RequestAborted).AsTask().WaitAsync(timeout, context.RequestAborted).ConfigureAwait(false);
        }
#pragma warning disable CA1031 // The work is done: whatever keeps the primary from answering must not turn the response into an error.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            if (!context.RequestAborted.IsCancellationRequested)
            {
                logger.TokenIncomplete(exception, timeout.TotalSeconds);
            }

            return session.Token;
        }
    }
}
