using System.Diagnostics;

namespace EfScaling.Testing.Processes;

/// <summary>One server program in the background, with its children: started, signalled, awaited.</summary>
/// <remarks>Start and Stop must not overlap; Kill, Suspend and Continue may come at any time.</remarks>
internal sealed class ServerProcess(ServerFolder folder, string name, string? user)
{
    // 'exec' keeps the pid that was written, so that the file is right from the first moment.
    private const string Launcher =
        """
        echo $$ >"$0.pid"
        exec "$@" >>"$0.log" 2>&1 </dev/null
        """;

    private const int LogTailLength = 4000;

    private volatile Process? _process;
    private long _logStart;

    public string Name => name;

    /// <summary>Variables of the environment in which the server starts next.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; set; } = new Dictionary<string, string>();

    public bool IsRunning => _process is { HasExited: false };

    public int Id => _process?.Id ?? throw new InvalidOperationException($"Server '{name}' has not been started: call StartAsync.");

    public void Start(string program, IEnumerable<string> arguments)
    {
        _logStart = File.Exists(LogFile) ? new FileInfo(LogFile).Length : 0;
        _process?.Dispose();
        _process = Process.Start(CommandLine.Describe(
            "/bin/sh", ["-c", Launcher, folder.Combine(name), program, .. arguments],
            new CommandSettings { User = user, WorkingDirectory = folder.Path, Environment = Environment }))!;
    }

    /// <summary>Sends a signal that asks the server to end, and waits for its end.</summary>
    /// <exception cref="TimeoutException">The server still runs after <paramref name="patience"/>.</exception>
    public async Task EndAsync(int signal, TimeSpan patience, CancellationToken cancellationToken)
    {
        if (_process is not { HasExited: false } process)
        {
            return;
        }

        await ContinueAsync(process.Id).ConfigureAwait(false);
        UnixSignal.Send(process.Id, signal);
        try
        {
            await process.WaitForExitAsync(cancellationToken).WaitAsync(patience, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            throw new TimeoutException($"Waited {patience} for server '{name}' to end: continue its suspended standbys, or call KillAsync.");
        }
    }

    /// <summary>Ends the server and its children at once and waits until the system has removed them.</summary>
    public async Task KillAsync()
    {
        if (_process is not { HasExited: false } process)
        {
            return;
        }

        // A stopped parent starts no further child while its children are listed.
        UnixSignal.Send(process.Id, UnixSignal.Stop);
        var children = await ProcessTable.ChildrenAsync(process.Id).ConfigureAwait(false);
        UnixSignal.Send(process.Id, UnixSignal.Kill);
        foreach (var child in children)
        {
            UnixSignal.Send(child, UnixSignal.Kill);
        }

        await process.WaitForExitAsync().ConfigureAwait(false);
        await Eventually.ThatAsync(() => !children.Any(ProcessTable.IsAlive), TimeSpan.FromSeconds(10), $"the children of '{name}' to end")
            .ConfigureAwait(false);
    }

    public async Task SuspendAsync()
    {
        var id = RunningId();
        UnixSignal.Send(id, UnixSignal.Stop);
        foreach (var child in await ProcessTable.ChildrenAsync(id).ConfigureAwait(false))
        {
            UnixSignal.Send(child, UnixSignal.Stop);
        }
    }

    public Task ContinueAsync() => ContinueAsync(RunningId());

    /// <summary>What the server has written since its latest start; the last part of it when that is long.</summary>
    public string LogTail()
    {
        if (!File.Exists(LogFile))
        {
            return "";
        }

        using var log = new FileStream(LogFile, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        log.Position = Math.Min(log.Length, Math.Max(_logStart, log.Length - LogTailLength));
        using var reader = new StreamReader(log);
        return reader.ReadToEnd().Trim();
    }

    private string LogFile => folder.Combine(name + ".log");

    private static async Task ContinueAsync(int id)
    {
        foreach (var child in await ProcessTable.ChildrenAsync(id).ConfigureAwait(false))
        {
            UnixSignal.Send(child, UnixSignal.Continue);
        }

        UnixSignal.Send(id, UnixSignal.Continue);
    }

    private int RunningId() =>
        _process is { HasExited: false } process
            ? process.Id
            : throw new InvalidOperationException($"Server '{name}' is not running: call StartAsync.");
}
