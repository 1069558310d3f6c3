using System.Diagnostics;
using System.Net.Sockets;

namespace EfScaling.Benchmarks.Measuring;

/// <summary>Measures how far away a Redis server is.</summary>
internal static class RoundTrip
{
    private const int Count = 100;

    /// <summary>Returns the median time of a PING, in milliseconds.</summary>
    public static async Task<double> MeasureAsync(string host, int port)
    {
        using var client = new TcpClient { NoDelay = true };
        await client.ConnectAsync(host, port);
        var stream = client.GetStream();
        var answer = new byte["+PONG\r\n"u8.Length];
        var times = new List<double>();
        for (var i = 0; i < Count; i++)
        {
            var start = Stopwatch.GetTimestamp();
            await stream.WriteAsync("PING\r\n"u8.ToArray());
            await stream.ReadExactlyAsync(answer);
            times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }

        return Estimate.Of(times).Median;
    }
}
