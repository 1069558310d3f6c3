using System.Diagnostics;
using System.Net.Sockets;
using System.Security.Cryptography;
using EfScaling.Testing;

namespace EfScaling.IntegrationTests.Testing;

public sealed class TcpProxyTests
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(5);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Forwards_both_directions_unchanged_and_the_end_of_the_stream()
    {
        await using var echo = new EchoServer();
        await using var proxy = await TcpProxy.StartAsync("127.0.0.1", echo.Port);
        using var client = await ConnectAsync(proxy);
        var sent = RandomNumberGenerator.GetBytes(5_000_000);
        var received = new byte[sent.Length];

        var stream = client.GetStream();
        var sending = stream.WriteAsync(sent, Ct).AsTask();
        await stream.ReadExactlyAsync(received, Ct);
        await sending;
        Assert.Equal(1, proxy.ConnectionCount);
        client.Client.Shutdown(SocketShutdown.Send);

        Assert.Equal(0, await stream.ReadAsync(new byte[1], Ct));
        Assert.Equal(SHA256.HashData(sent), SHA256.HashData(received));
        await Eventually.ThatAsync(() => proxy.ConnectionCount == 0, Long, "the proxy to forget the connection", Ct);
    }

    [Fact]
    public async Task A_delay_counts_in_each_direction_and_can_change_while_connected()
    {
        await using var echo = new EchoServer();
        await using var proxy = await TcpProxy.StartAsync("127.0.0.1", echo.Port);
        using var client = await ConnectAsync(proxy);
        await EchoAsync(client);

        proxy.Delay = TimeSpan.FromMilliseconds(400);
        Assert.InRange(await EchoAsync(client), TimeSpan.FromMilliseconds(795), Long);

        proxy.Delay = TimeSpan.Zero;
        Assert.InRange(await EchoAsync(client), TimeSpan.Zero, TimeSpan.FromMilliseconds(700));
    }

    [Fact]
    public async Task A_cut_resets_and_refuses_until_it_is_restored()
    {
        await using var echo = new EchoServer();
        await using var proxy = await TcpProxy.StartAsync("127.0.0.1", echo.Port);
        using var client = await ConnectAsync(proxy);
        await EchoAsync(client);

        await proxy.CutAsync();
        Assert.Equal(0, proxy.ConnectionCount);
        var reset = await Assert.ThrowsAsync<IOException>(() => client.GetStream().ReadExactlyAsync(new byte[1], Ct).AsTask());
        Assert.Equal(SocketError.ConnectionReset, Assert.IsType<SocketException>(reset.InnerException).SocketErrorCode);
        var refused = await Assert.ThrowsAnyAsync<SocketException>(() => ConnectAsync(proxy));
        Assert.Equal(SocketError.ConnectionRefused, refused.SocketErrorCode);

        proxy.Restore();
        using var again = await ConnectAsync(proxy);
        await EchoAsync(again);
    }

    [Fact]
    public async Task Half_open_connections_hang_old_and_new_and_go_on_after_restore()
    {
        await using var echo = new EchoServer();
        await using var proxy = await TcpProxy.StartAsync("127.0.0.1", echo.Port);
        using var old = await ConnectAsync(proxy);
        await EchoAsync(old);

        proxy.HalfOpen();
        using var young = await ConnectAsync(proxy);
        var first = EchoAsync(old);
        var second = EchoAsync(young);
        await Assert.ThrowsAsync<TimeoutException>(() => Task.WhenAny(first, second).WaitAsync(Short, Ct));
        Assert.Equal(2, proxy.ConnectionCount);

        proxy.Restore();
        await Task.WhenAll(first, second).WaitAsync(Long, Ct);
    }

    [Fact]
    public async Task Half_open_hides_that_the_server_is_gone_and_a_cut_ends_the_hang()
    {
        var echo = new EchoServer();
        await using var proxy = await TcpProxy.StartAsync("127.0.0.1", echo.Port);
        using var client = await ConnectAsync(proxy);
        proxy.HalfOpen();
        await echo.DisposeAsync();
        var reading = client.GetStream().ReadAsync(new byte[1], Ct).AsTask();
        await Assert.ThrowsAsync<TimeoutException>(() => reading.WaitAsync(Short, Ct));

        await proxy.CutAsync();
        await Assert.ThrowsAsync<IOException>(() => reading.WaitAsync(Long, Ct));
    }

    [Fact]
    public async Task A_server_that_cannot_be_reached_resets_the_client()
    {
        var echo = new EchoServer();
        var port = echo.Port;
        await echo.DisposeAsync();
        await using var proxy = await TcpProxy.StartAsync("127.0.0.1", port);

        var reset = await Assert.ThrowsAnyAsync<Exception>(async () =>
        {
            using var client = await ConnectAsync(proxy);
            await client.GetStream().ReadAsync(new byte[1], Ct).AsTask().WaitAsync(Long, Ct);
        });

        // The reset may come before the client has noticed that it is connected.
        var cause = Assert.IsType<SocketException>(reset.InnerException ?? reset);
        Assert.Equal(SocketError.ConnectionReset, cause.SocketErrorCode);
    }

    private static async Task<TcpClient> ConnectAsync(TcpProxy proxy)
    {
        var client = new TcpClient();
        await client.ConnectAsync(proxy.Host, proxy.Port, Ct);
        return client;
    }

    private static async Task<TimeSpan> EchoAsync(TcpClient client)
    {
        var start = Stopwatch.GetTimestamp();
        var answer = new byte[4];
        await client.GetStream().WriteAsync("ping"u8.ToArray(), Ct);
        await client.GetStream().ReadExactlyAsync(answer, Ct);
        Assert.Equal("ping"u8.ToArray(), answer);
        return Stopwatch.GetElapsedTime(start);
    }
}
