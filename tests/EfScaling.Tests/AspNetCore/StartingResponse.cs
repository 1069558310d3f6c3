using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace EfScaling.Tests.AspNetCore;

/// <summary>A response that starts when the test says so, and then runs what was to run before.</summary>
internal sealed class StartingResponse : HttpResponseFeature
{
    private readonly Stack<Func<Task>> _callbacks = new();
    private bool _hasStarted;

    public override bool HasStarted => _hasStarted;

    public static (DefaultHttpContext Context, StartingResponse Response) Create(string method)
    {
        var context = new DefaultHttpContext { Request = { Method = method } };
        var response = new StartingResponse();
        context.Features.Set<IHttpResponseFeature>(response);
        return (context, response);
    }

    public override void OnStarting(Func<object, Task> callback, object state) => _callbacks.Push(() => callback(state));

    public async Task StartAsync()
    {
        while (_callbacks.TryPop(out var callback))
        {
            await callback();
        }

        _hasStarted = true;
    }
}
