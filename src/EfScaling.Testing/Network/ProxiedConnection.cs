using System.Net.Sockets;
using System.Threading.Channels;

namespace EfScaling.Testing.Network;

/// <summary>One client's connection with its counterpart to the server.</summary>
internal sealed class ProxiedConnection(Socket client, ForwardingGate forwarding, Func<TimeSpan> delay) : IAsyncDisposable
{
    private const int ChunkSize = 64 * 1024;

    // Chunks on their way in one direction; a full line stops reading, as a full TCP window would.
    private const int MaxChunks = 256;

    private readonly CancellationTokenSource _end = new();
    private readonly Socket _server = new(SocketType.Stream, ProtocolType.Tcp);

    private Task _running = Task.CompletedTask;

    public void Start(string host, int port, Action<ProxiedConnection> onEnded) => _running = RunAsync(host, port, onEnded);

    /// <summary>Ends the connection with a reset on both sides, unless it has ended before.</summary>
    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(false);
    }

    private async Task RunAsync(string host, int port, Action<ProxiedConnection> onEnded)
    {
        // The caller must have stored the task before it can end.
        await Task.Yield();
        var clean = false;
        try
        {
            client.NoDelay = true;
            _server.NoDelay = true;
            await ConnectAsync(host, port).ConfigureAwait(false);
            await Task.WhenAll(PumpAsync(client, _server), PumpAsync(_server, client)).ConfigureAwait(false);
            clean = true;
        }
        catch (Exception broken) when (broken is SocketException or OperationCanceledException)
        {
            // A reset on one side becomes a reset on the other.
            clean = false;
        }
        finally
        {
            Close(client, clean);
            Close(_server, clean);
            onEnded(this);
        }
    }

    private async Task ConnectAsync(string host, int port)
    {
        await forwarding.PassAsync(_end.Token).ConfigureAwait(false);
        try
        {
            await _server.ConnectAsync(host, port, _end.Token).ConfigureAwait(false);
        }
        catch (SocketException)
        {
            // While connections hang, the client must not learn of it.
            await forwarding.PassAsync(_end.Token).ConfigureAwait(false);
            throw;
        }
    }

    private async Task PumpAsync(Socket from, Socket to)
    {
        var line = Channel.CreateBounded<DelayedChunk>(MaxChunks);
        await Task.WhenAll(EndAllOnError(ReadAsync(from, line.Writer)), EndAllOnError(WriteAsync(line.Reader, to))).ConfigureAwait(false);
    }

    // The other direction and the other end of the line would wait for ever.
    private async Task EndAllOnError(Task part)
    {
        try
        {
            await part.ConfigureAwait(false);
        }
        catch
        {
            await _end.CancelAsync().ConfigureAwait(false);
            throw;
        }
    }

    private async Task ReadAsync(Socket from, ChannelWriter<DelayedChunk> line)
    {
        var buffer = new byte[ChunkSize];
        int read;
        do
        {
            read = await ReceiveAsync(from, buffer).ConfigureAwait(false);
            await line.WriteAsync(new DelayedChunk(buffer.AsSpan(0, read).ToArray(), Deadline.After(delay())), _end.Token).ConfigureAwait(false);
        }
        while (read > 0);
    }

    private async Task<int> ReceiveAsync(Socket from, byte[] buffer)
    {
        try
        {
            return await from.ReceiveAsync(buffer, _end.Token).ConfigureAwait(false);
        }
        catch (SocketException)
        {
            // While connections hang, a reset must not get through either.
            await forwarding.PassAsync(_end.Token).ConfigureAwait(false);
            throw;
        }
    }

    private async Task WriteAsync(ChannelReader<DelayedChunk> line, Socket to)
    {
        await foreach (var chunk in line.ReadAllAsync(_end.Token).ConfigureAwait(false))
        {
            if (chunk.Due.Remaining is { Ticks: > 0 } wait)
            {
                await (wait > ShortPause.Longest ? Task.Delay(wait, _end.Token) : ShortPause.ForAsync(wait)).ConfigureAwait(false);
            }

            await forwarding.PassAsync(_end.Token).ConfigureAwait(false);
            if (chunk.Bytes.IsEmpty)
            {
                to.Shutdown(SocketShutdown.Send);
                return;
            }

            for (var rest = chunk.Bytes; !rest.IsEmpty;)
            {
                rest = rest[await to.SendAsync(rest, _end.Token).ConfigureAwait(false)..];
            }
        }
    }

    private static void Close(Socket socket, bool clean)
    {
        // Closing with a linger time of zero sends RST.
        socket.Close(clean ? -1 : 0);
    }
}
