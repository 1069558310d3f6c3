using System.Globalization;
using System.Text;

namespace EfScaling.Testing.Processes;

/// <summary>A temporary folder for servers, which names its owner while the owner lives.</summary>
/// <remarks>
/// Layout: <c>owner</c> (id and start mark of the process, locked while it lives), and for each server <c>NAME/</c> (data),
/// <c>NAME.pid</c> and <c>NAME.log</c>.
/// </remarks>
internal sealed class ServerFolder : IAsyncDisposable
{
    public const string Prefix = "efscaling-run-";
    public const string OwnerFile = "owner";

    private static readonly TimeSpan RemovalTime = TimeSpan.FromSeconds(5);

    private readonly FileStream _owner;
    private readonly Watchdog _watchdog;
    private bool _disposed;

    private ServerFolder(string path, FileStream owner)
    {
        Path = path;
        _owner = owner;
        _watchdog = new Watchdog(path);
    }

    public string Path { get; }

    public int WatchdogId => _watchdog.Id;

    /// <summary>Clears what killed processes left behind, then makes a new folder.</summary>
    public static async Task<ServerFolder> CreateAsync(CancellationToken cancellationToken)
    {
        if (OperatingSystem.IsWindows())
        {
            throw new PlatformNotSupportedException("Test servers need Linux or macOS; on Windows run the tests in WSL.");
        }

        await Leftovers.RemoveAsync().ConfigureAwait(false);

        var path = System.IO.Path.Combine(
            TempFolder.Path, Prefix + Guid.NewGuid().ToString("N", CultureInfo.InvariantCulture)[..12]);
        Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var owner = new FileStream(System.IO.Path.Combine(path, OwnerFile), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);
        var mark = $"{Environment.ProcessId} {ProcessTable.StartMark(Environment.ProcessId)}";
        await owner.WriteAsync(Encoding.ASCII.GetBytes(mark), cancellationToken).ConfigureAwait(false);
        await owner.FlushAsync(cancellationToken).ConfigureAwait(false);
        await ServerUser.OwnAsync(path, cancellationToken).ConfigureAwait(false);
        return new ServerFolder(path, owner);
    }

    public string Combine(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>Removes the folder. Its servers must have ended.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        await RemoveAsync(Path).ConfigureAwait(false);
        await _owner.DisposeAsync().ConfigureAwait(false);
        _watchdog.Dispose();
    }

    /// <summary>Removes a folder, again and again while an ending process still writes into it.</summary>
    public static async Task RemoveAsync(string path)
    {
        var deadline = Deadline.After(RemovalTime);
        while (Directory.Exists(path))
        {
            try
            {
                Directory.Delete(path, recursive: true);
            }
            catch (Exception busy) when (busy is IOException or UnauthorizedAccessException)
            {
                if (deadline.HasPassed)
                {
                    throw;
                }

                await Task.Delay(20).ConfigureAwait(false);
            }
        }
    }
}
