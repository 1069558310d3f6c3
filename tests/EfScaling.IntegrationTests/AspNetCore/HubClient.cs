using System.Net.WebSockets;
using System.Text;
using System.Text.Json;

namespace EfScaling.IntegrationTests.AspNetCore;

/// <summary>A SignalR client as small as the JSON hub protocol allows: one invocation at a time, over a web socket.</summary>
public sealed class HubClient : IAsyncDisposable
{
    private const char EndOfMessage = '\u001e';

    private readonly ClientWebSocket _socket = new();
    private readonly StringBuilder _received = new();

    public static async Task<HubClient> ConnectAsync(Uri hub, string? cookie = null)
    {
        var client = new HubClient();
        if (cookie is not null)
        {
            client._socket.Options.SetRequestHeader("Cookie", $"{WebUser.CookieName}={cookie}");
        }

        await client._socket.ConnectAsync(hub, CancellationToken.None);
        await client.SendAsync(new { protocol = "json", version = 1 });
        await client.ReceiveAsync();
        return client;
    }

    public async Task<JsonElement> InvokeAsync(string method, params object[] arguments)
    {
        await SendAsync(new { type = 1, invocationId = "1", target = method, arguments });
        while (true)
        {
            var message = await ReceiveAsync();

            // 3 is a completion; the rest are pings.
            if (message.GetProperty("type").GetInt32() == 3)
            {
                Assert.False(message.TryGetProperty("error", out var error), $"{error}");
                return message.GetProperty("result");
            }
        }
    }

    public ValueTask DisposeAsync()
    {
        _socket.Dispose();
        return ValueTask.CompletedTask;
    }

    private Task SendAsync(object message) =>
        _socket.SendAsync(Encoding.UTF8.GetBytes(JsonSerializer.Serialize(message) + EndOfMessage), WebSocketMessageType.Text, endOfMessage: true, CancellationToken.None);

    private async Task<JsonElement> ReceiveAsync()
    {
        var buffer = new byte[4_096];
        int end;
        while ((end = _received.ToString().IndexOf(EndOfMessage, StringComparison.Ordinal)) < 0)
        {
            var part = await _socket.ReceiveAsync(buffer, CancellationToken.None);
            Assert.Equal(WebSocketMessageType.Text, part.MessageType);
            _received.Append(Encoding.UTF8.GetString(buffer, 0, part.Count));
        }

        var message = JsonSerializer.Deserialize<JsonElement>(_received.ToString(0, end));
        _received.Remove(0, end + 1);
        return message;
    }
}
