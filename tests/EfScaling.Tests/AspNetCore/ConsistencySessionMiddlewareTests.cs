using EfScaling.AspNetCore.Sessions;
using EfScaling.Consistency;
using EfScaling.Topology;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace EfScaling.Tests.AspNetCore;

public sealed class ConsistencySessionMiddlewareTests
{
    private const string HeaderName = "EfScaling-Session";

    private static readonly ConsistencyTokenProtector _protector = new("0123456789abcdef"u8.ToArray());

    private readonly ConsistencySessionOptions _options = new();

    [Fact]
    public async Task Session_lasts_as_long_as_the_request()
    {
        ConsistencySession? seen = null;
        await RunAsync("GET", () => seen = ConsistencySession.Current);

        Assert.NotNull(seen);
        Assert.Null(ConsistencySession.Current);
    }

    [Theory]
    [InlineData("GET", null)]
    [InlineData("HEAD", null)]
    [InlineData("OPTIONS", null)]
    [InlineData("TRACE", null)]
    [InlineData("POST", ReadContract.Primary)]
    [InlineData("PUT", ReadContract.Primary)]
    [InlineData("PATCH", ReadContract.Primary)]
    [InlineData("DELETE", ReadContract.Primary)]
    [InlineData("QUERIES", ReadContract.Primary)]
    public async Task Contract_of_unsafe_methods_is_that_of_the_options(string method, ReadContract? expected)
    {
        _options.UnsafeMethodContract = ReadContract.Primary;
        ReadContract? contract = ReadContract.Any;
        await RunAsync(method, () => contract = ConsistencySession.Current!.Contract);

        Assert.Equal(expected, contract);
    }

    [Fact]
    public async Task By_default_no_method_has_a_contract_of_its_own()
    {
        ReadContract? contract = ReadContract.Any;
        await RunAsync("POST", () => contract = ConsistencySession.Current!.Contract);

        Assert.Null(contract);
    }

    [Fact]
    public async Task Response_takes_the_position_of_the_writes_along()
    {
        var response = await RunAsync("POST", new ScriptedSource(_ => Answer(1_000)).Write);

        Assert.Equal(1_000u, Assert.Single(TokenOf(response)!.Positions).Position.Value);
    }

    [Fact]
    public async Task Response_of_a_request_that_touched_nothing_takes_nothing_along()
    {
        Assert.Null(TokenOf(await RunAsync("GET", () => { })));
        Assert.Null(TokenOf(await RunAsync("GET", () => { }, Tokens.One)));
    }

    [Fact]
    public async Task Response_takes_nothing_along_that_the_request_has_brought() =>
        Assert.Null(TokenOf(await RunAsync("POST", new ScriptedSource(_ => Answer(1_000)).Write, Tokens.One)));

    [Fact]
    public async Task Token_of_the_response_asks_for_what_the_request_has_brought_too()
    {
        var response = await RunAsync("POST", new ScriptedSource(_ => Answer(3_000)).Write, Tokens.Later.Merge(Tokens.Other));

        Assert.Equal([3_000u, 500u], TokenOf(response)!.Positions.Select(p => p.Position.Value));
    }

    [Fact]
    public async Task Primary_that_does_not_answer_costs_the_next_request_a_question_and_this_one_nothing()
    {
        ExpectFlagged(await RunAsync("POST", new ScriptedSource(_ => Task.FromResult<ServerPosition?>(null)).Write));
        ExpectFlagged(await RunAsync("POST", new ScriptedSource(_ => throw new InvalidOperationException("The data source is gone.")).Write));
    }

    [Fact]
    public async Task Primary_that_hangs_holds_a_response_up_no_longer_than_the_limit()
    {
        _options.TokenTimeout = TimeSpan.FromMilliseconds(20);

        ExpectFlagged(await RunAsync("POST", new ScriptedSource(_ => new TaskCompletionSource<ServerPosition?>().Task).Write));
    }

    [Fact]
    public async Task Request_that_is_aborted_waits_for_no_server()
    {
        _options.TokenTimeout = TimeSpan.FromMinutes(10);

        var source = new ScriptedSource(_ => new TaskCompletionSource<ServerPosition?>().Task);
        await RunAsync("POST", source.Write, configure: c => c.RequestAborted = new CancellationToken(canceled: true));
    }

    [Fact]
    public async Task Request_that_is_executed_again_as_an_error_page_keeps_what_it_has_written()
    {
        var source = new ScriptedSource(_ => Answer(1_000));
        var (context, response) = StartingResponse.Create("POST");

        await Middleware(_ => Write()).InvokeAsync(context);
        await Middleware(_ => Task.CompletedTask).InvokeAsync(context);
        await response.StartAsync();

        var token = TokenOf(context.Response)!;
        Assert.Equal(ShardPosition.Anywhere, Assert.Single(token.Positions).SeenOn);

        Task Write()
        {
            source.Write();
            return Task.CompletedTask;
        }
    }

    [Fact]
    public async Task Response_that_has_started_already_is_left_alone()
    {
        var (context, response) = StartingResponse.Create("POST");
        await response.StartAsync();

        await Middleware(_ => Task.CompletedTask).InvokeAsync(context);

        Assert.Empty(context.Response.Headers);
    }

    [Fact]
    public async Task Failure_of_the_request_ends_its_session()
    {
        var (context, _) = StartingResponse.Create("GET");

        await Assert.ThrowsAsync<InvalidOperationException>(() => Middleware(_ => throw new InvalidOperationException()).InvokeAsync(context));
        Assert.Null(ConsistencySession.Current);
    }

    private static Task<ServerPosition?> Answer(ulong position) =>
        Task.FromResult<ServerPosition?>(new ServerPosition(ScriptedSource.Cluster, new WalPosition(position), new Moment(long.MaxValue)));

    private static void ExpectFlagged(HttpResponse response) => Assert.Equal(ShardPosition.Anywhere, Assert.Single(TokenOf(response)!.Positions).SeenOn);

    private static ConsistencyToken? TokenOf(HttpResponse response) =>
        response.Headers.TryGetValue(HeaderName, out var text) ? _protector.Unprotect(text) : null;

    private async Task<HttpResponse> RunAsync(string method, Action work, ConsistencyToken? token = null, Action<HttpContext>? configure = null)
    {
        var (context, response) = StartingResponse.Create(method);
        configure?.Invoke(context);
        if (token is not null)
        {
            context.Request.Headers[HeaderName] = _protector.Protect(token);
        }

        await Middleware(_ =>
        {
            work();
            return Task.CompletedTask;
        }).InvokeAsync(context);
        await response.StartAsync();
        return context.Response;
    }

    private ConsistencySessionMiddleware Middleware(RequestDelegate next)
    {
        var options = Options.Create(_options);
        var transport = new TokenTransport(options, _protector, NullLogger<TokenTransport>.Instance);
        return new ConsistencySessionMiddleware(next, transport, options, NullLogger<ConsistencySessionMiddleware>.Instance);
    }
}
