namespace EfScaling.Testing.Processes;

/// <summary>The folder in which servers get theirs.</summary>
internal static class TempFolder
{
    public const string Variable = "EFSCALING_TEMP";

    private const string Memory = "/dev/shm";
    private const long RoomyBytes = 4L << 30;

    /// <summary>The environment's choice, else memory when there is plenty, else the system's folder for temporary files.</summary>
    /// <remarks>
    /// A server has some thousand files, and creating them takes a disk up to a second; memory takes a tenth of it.
    /// Without links, because the system reports the folder that a process works in so.
    /// </remarks>
    public static string Path { get; } = Resolve(Chosen() ?? (IsRoomy() ? Memory : System.IO.Path.GetTempPath()));

    private static string? Chosen() =>
        new[] { Variable, "TMPDIR" }.Select(Environment.GetEnvironmentVariable).FirstOrDefault(value => !string.IsNullOrEmpty(value));

    // Containers limit one, the other or both; what lies in the folder counts as memory of the container.
    private static bool IsRoomy() =>
        OperatingSystem.IsLinux()
        && Directory.Exists(Memory)
        && GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >= RoomyBytes
        && new DriveInfo(Memory).AvailableFreeSpace >= RoomyBytes;

    private static string Resolve(string folder)
    {
        var path = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(folder));
        return Directory.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path;
    }
}
