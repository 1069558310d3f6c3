using EfScaling.Consistency;
using Microsoft.AspNetCore.SignalR;

namespace EfScaling.IntegrationTests.AspNetCore;

/// <summary>Gives each hub invocation a session that goes on where the connection's previous one ended.</summary>
public sealed class ConsistencyHubFilter : IHubFilter
{
    public async ValueTask<object?> InvokeMethodAsync(HubInvocationContext invocationContext, Func<HubInvocationContext, ValueTask<object?>> next)
    {
        var items = invocationContext.Context.Items;
        using var session = ConsistencySession.Begin(items.TryGetValue(typeof(ConsistencyToken), out var token) ? (ConsistencyToken)token! : ConsistencySession.Current?.Token);
        try
        {
            return await next(invocationContext);
        }
        finally
        {
            items[typeof(ConsistencyToken)] = session.Token;
        }
    }
}
