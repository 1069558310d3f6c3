using System.Diagnostics;
using EfScaling.Testing.History;

namespace EfScaling.History;

/// <summary>The second process of a history: this program again, which runs some of the clients and writes what they did to its standard output.</summary>
public static class SecondProcess
{
    /// <summary>The first argument of a second process.</summary>
    public const string Verb = "second-process";

    private static readonly TimeSpan _sendPause = TimeSpan.FromMilliseconds(250);

    /// <summary>Starts the process, takes in its events, and ends it. Completes when its clients work.</summary>
    /// <param name="settings">What it is told.</param>
    /// <param name="recorder">Takes its events.</param>
    /// <param name="end">Ends it, when it has completed what it has begun.</param>
    /// <exception cref="InvalidOperationException">It failed.</exception>
    public static async Task<Task> StartAsync(CacheSettings settings, HistoryRecorder recorder, CancellationToken end)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(recorder);
        var start = new ProcessStartInfo("dotnet", [typeof(SecondProcess).Assembly.Location, Verb, .. settings.ToArguments()])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        var process = Process.Start(start)!;
        var ready = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var receiving = ReceiveAsync(process, recorder, ready, end);
        await await Task.WhenAny(ready.Task, receiving);
        return receiving;
    }

    private static async Task ReceiveAsync(Process started, HistoryRecorder recorder, TaskCompletionSource ready, CancellationToken end)
    {
        using var process = started;

        // It ends when its input does, and so also when this process is gone.
        using var ending = end.Register(process.StandardInput.Close);
        await Task.Run(() => Receive(process.StandardOutput.BaseStream, recorder, ready), CancellationToken.None);
        await process.WaitForExitAsync(CancellationToken.None);
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"The second process ended with {process.ExitCode}.");
        }
    }

    /// <summary>Runs as the second process.</summary>
    public static async Task WorkAsync(CacheSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ThreadPool.SetMinThreads(64, 64);
        var recorder = new HistoryRecorder(settings.Origin, first: 1_000_000_000);
        var application = CacheScenario.Application(
            settings.Primary, settings.Standby, settings.Redis, cache: 3, TimeSpan.FromMilliseconds(700), localMemory: 16 << 20);
        var options = new HistoryRunOptions
        {
            Seed = settings.Seed,
            Clients = settings.Clients,
            OwnClients = [.. Enumerable.Range(settings.FirstClient, settings.Clients - settings.FirstClient + 1)],
            WritePause = settings.WritePause,
        };
        await using var output = new BinaryWriter(Console.OpenStandardOutput());
        await HistoryRun.WaitUntilCachingAsync(application);
        output.Write((byte)3);
        using var end = new CancellationTokenSource();
        var working = HistoryRun.WorkAsync([application], options, recorder, end.Token);
        var listening = Task.Run(() => Console.In.ReadToEnd());
        while (!listening.IsCompleted && !working.IsCompleted)
        {
            await Task.WhenAny(listening, Task.Delay(_sendPause));
            Send(recorder, output);
        }

        await end.CancelAsync();
        await working;
        Send(recorder, output);
        foreach (var (failure, count) in recorder.Failures)
        {
            output.Write((byte)2);
            output.Write(failure);
            output.Write(count);
        }

        output.Write((byte)0);
    }

    private static void Send(HistoryRecorder recorder, BinaryWriter output)
    {
        foreach (var happened in recorder.Take())
        {
            output.Write((byte)1);
            EventFormat.Write(output, happened);
        }

        output.Flush();
    }

    private static void Receive(Stream stream, HistoryRecorder recorder, TaskCompletionSource ready)
    {
        using var input = new BinaryReader(new BufferedStream(stream));
        while (true)
        {
            switch (input.ReadByte())
            {
                case 0:
                    return;
                case 1:
                    recorder.Add(EventFormat.Read(input));
                    break;
                case 3:
                    ready.SetResult();
                    break;
                default:
                    recorder.Failed(input.ReadString(), input.ReadInt32());
                    break;
            }
        }
    }
}
