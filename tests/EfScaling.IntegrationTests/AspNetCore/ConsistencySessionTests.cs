using EfScaling.AspNetCore;
using EfScaling.AspNetCore.Sessions;
using EfScaling.Consistency;
using EfScaling.Diagnostics;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Routing;
using EfScaling.Testing;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace EfScaling.IntegrationTests.AspNetCore;

/// <summary>What a user of two instances of a web application sees while the replica lags.</summary>
public sealed class ConsistencySessionTests(WebCluster web) : IClassFixture<WebCluster>, IDisposable
{
    private readonly WebUser _user = new();
    private readonly string _text = $"{Guid.NewGuid()}";

    public void Dispose() => _user.Dispose();

    [Theory]
    [InlineData("notes", "notes")]
    [InlineData("mvc/notes", "mvc/notes")]
    [InlineData("transaction", "notes")]
    [InlineData("open", "notes")]
    public async Task User_sees_on_one_instance_what_the_user_wrote_on_another(string write, string read)
    {
        await using (await web.LagAsync())
        {
            await _user.WriteAsync(web.First, _text, write);

            var seen = await _user.ReadAsync(web.Second, _text, read);
            Assert.True(seen.Found, $"Not seen: {seen}.");
            Assert.Equal((NodeRole.Primary, RoutingReason.ReadYourWrites), (seen.Role, seen.Reason));
        }

        await Eventually.ThatAsync(
            async () =>
            {
                var seen = await _user.ReadAsync(web.Second, _text, read);
                Assert.True(seen.Found, $"Not seen: {seen}.");
                return seen.Role == NodeRole.Replica;
            },
            ReplicaReads.Patience,
            "the user returns to the replica");
    }

    [Fact]
    public async Task Writes_of_a_TransactionScope_are_seen_although_it_ends_after_the_connection_was_closed()
    {
        await web.UntilTheStandbyServesAsync();
        await using var lag = web.EndOfLag();
        await _user.WriteAsync(web.First, _text, "scope");

        var seen = await _user.ReadAsync(web.Second, _text);
        Assert.True(seen.Found, $"Not seen: {seen}.");
    }

    [Fact]
    public async Task User_without_the_cookie_reads_what_the_replica_shows()
    {
        await using var lag = await web.LagAsync();
        await _user.WriteAsync(web.First, _text);
        _user.Forget();

        Assert.Equal(new WebRead(false, NodeRole.Replica, RoutingReason.FreshReplica), await _user.ReadAsync(web.Second, _text));
    }

    [Fact]
    public async Task Each_instance_watches_the_servers_itself()
    {
        await using var lag = await web.LagAsync();

        Assert.All([web.First, web.Second], i => Assert.NotEqual(0, i.Log.Count(EfScalingEventId.MonitorStarted)));
    }

    [Fact]
    public async Task Token_in_the_header_does_what_the_cookie_does()
    {
        await using var lag = await web.LagAsync();
        var token = await _user.WriteAsync(web.First, _text);
        _user.Forget();

        Assert.NotNull(token);
        Assert.True((await _user.ReadAsync(web.Second, _text, header: token)).Found);
    }

    [Fact]
    public async Task Of_cookie_and_header_the_later_counts()
    {
        await using var lag = await web.LagAsync();
        var older = await _user.WriteAsync(web.First, $"{_text} older");
        await _user.WriteAsync(web.First, _text);

        Assert.True((await _user.ReadAsync(web.Second, _text, header: older)).Found);
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("AQABAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    public async Task Tampered_cookie_reads_the_primary_and_is_replaced(string tampered)
    {
        await using var lag = await web.LagAsync();
        await _user.WriteAsync(web.First, _text);
        _user.Cookie = tampered;

        Assert.Equal(new WebRead(true, NodeRole.Primary, RoutingReason.TokenNotUsable), await _user.ReadAsync(web.Second, _text));
        Assert.NotEqual(0, web.Second.Log.Count(EfScalingAspNetCoreEventId.TokenRefused));
        Assert.NotEqual(tampered, _user.Cookie);
        Assert.Equal(new WebRead(true, NodeRole.Primary, RoutingReason.ReadYourWrites), await _user.ReadAsync(web.Second, _text));
    }

    [Fact]
    public async Task Response_that_was_overtaken_by_a_post_does_not_wipe_it_out()
    {
        await using var lag = await web.LagAsync();
        var slow = web.Second.Services.GetRequiredService<SlowRequest>();
        var polling = _user.ReadAsync(web.Second, _text, "slow");
        await slow.HasRead.WaitAsync(ReplicaReads.Patience);
        await _user.WriteAsync(web.First, _text);
        slow.End();
        Assert.False((await polling).Found);

        var seen = await _user.ReadAsync(web.Second, _text);
        Assert.True(seen.Found, $"Not seen: {seen}.");
    }

    [Fact]
    public async Task Redirect_after_a_post_shows_what_was_posted()
    {
        await using var lag = await web.LagAsync();
        var post = new UriBuilder(web.First.At("redirected", _text));
        post.Query += $"&to={Uri.EscapeDataString(web.Second.At("notes", _text).ToString())}";

        using var response = await _user.Client.PostAsync(post.Uri, content: null);
        var seen = await WebUser.ReadAsync(response);

        Assert.Equal(HttpMethod.Get, response.RequestMessage!.Method);
        Assert.True(seen.Found, $"Not seen: {seen}.");
        Assert.Equal(RoutingReason.ReadYourWrites, seen.Reason);
    }

    [Fact]
    public async Task Streaming_response_takes_along_what_was_written_before_its_start()
    {
        await using var lag = await web.LagAsync();
        using var request = new HttpRequestMessage(HttpMethod.Post, web.First.At("streamed", _text));
        using var response = await _user.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);

        Assert.True((await _user.ReadAsync(web.Second, $"{_text} before")).Found);
        Assert.Equal("half of the answer", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Rows_streamed_by_MVC_are_those_the_session_must_see()
    {
        await using var lag = await web.LagAsync();
        await _user.WriteAsync(web.First, _text);

        Assert.Contains(_text, await _user.Client.GetStringAsync(web.Second.At("mvc/notes/stream", _text)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Error_page_takes_the_writes_of_the_failed_request_along()
    {
        await using var lag = await web.LagAsync();
        using (var response = await _user.Client.PostAsync(web.First.At("failing", _text), content: null))
        {
            Assert.Equal(500, (int)response.StatusCode);
        }

        Assert.True((await _user.ReadAsync(web.Second, _text)).Found);
    }

    [Fact]
    public async Task Unsafe_methods_read_the_primary_if_the_options_say_so()
    {
        await using var instance = await WebInstance.StartAsync(web.Cluster, o => o.UnsafeMethodContract = ReadContract.Primary);
        await using var lag = await web.LagAsync();
        await _user.WriteAsync(web.First, _text);
        _user.Forget();

        Assert.Equal(new WebRead(true, NodeRole.Primary, RoutingReason.PrimaryRequested), await _user.SendAsync(HttpMethod.Put, instance, _text, "notes"));
    }

    [Fact]
    public async Task Unsafe_methods_read_as_safe_ones_do_by_default()
    {
        await using var lag = await web.LagAsync();

        Assert.Equal(NodeRole.Replica, (await _user.SendAsync(HttpMethod.Put, web.Second, _text, "notes")).Role);
    }

    [Fact]
    public async Task Response_carries_a_token_only_when_there_is_something_new()
    {
        await using var lag = await web.LagAsync();
        using var nothing = await _user.Client.GetAsync(web.Second.At("plain"));
        Assert.False(nothing.Headers.Contains("Set-Cookie") || nothing.Headers.Contains(WebUser.HeaderName));

        await _user.WriteAsync(web.First, _text);
        var written = _user.Cookie;
        Assert.InRange(written!.Length, 1, 199);

        using var unchanged = await _user.Client.GetAsync(web.Second.At("plain"));
        Assert.False(unchanged.Headers.Contains("Set-Cookie") || unchanged.Headers.Contains(WebUser.HeaderName));
        Assert.Equal(written, _user.Cookie);
    }

    [Fact]
    public async Task Only_the_chosen_carriers_are_used()
    {
        await using var instance = await WebInstance.StartAsync(web.Cluster, o => (o.Carriers, o.HeaderName) = (SessionCarriers.Header, "X-Seen"));
        using var response = await _user.Client.PostAsync(instance.At("notes", _text), content: null);

        Assert.True(response.Headers.Contains("X-Seen"));
        Assert.False(response.Headers.Contains("Set-Cookie"));
    }

    [Fact]
    public async Task Hub_invocation_sees_what_the_connection_wrote_and_the_page_around_it_too()
    {
        await using var lag = await web.LagAsync();
        await _user.WriteAsync(web.First, _text);
        await using var hub = await HubClient.ConnectAsync(web.Second.At("hub", scheme: "ws"), _user.Cookie);
        Assert.True((await hub.InvokeAsync("Find", _text)).GetProperty("found").GetBoolean());

        var token = (await hub.InvokeAsync("Add", $"{_text} hub")).GetString();
        Assert.True((await hub.InvokeAsync("Find", $"{_text} hub")).GetProperty("found").GetBoolean());
        Assert.True((await _user.ReadAsync(web.First, $"{_text} hub", header: token)).Found);
    }

    [Fact]
    public async Task Message_carries_the_token_to_its_consumer()
    {
        await using var lag = await web.LagAsync();
        string message;
        await using (var scope = web.First.Services.CreateAsyncScope())
        {
            using var session = ConsistencySession.Begin();
            var context = scope.ServiceProvider.GetRequiredService<BlogContext>();
            context.Notes.Add(new Note { Text = _text });
            await context.SaveChangesAsync();
            message = scope.ServiceProvider.GetRequiredService<ConsistencyTokenProtector>().Protect(await session.GetTokenAsync());
        }

        await using (var scope = web.Second.Services.CreateAsyncScope())
        {
            using var session = ConsistencySession.Begin(scope.ServiceProvider.GetRequiredService<ConsistencyTokenProtector>().Unprotect(message));
            Assert.True(await scope.ServiceProvider.GetRequiredService<BlogContext>().Notes.AnyAsync(n => n.Text == _text));
        }
    }
}
