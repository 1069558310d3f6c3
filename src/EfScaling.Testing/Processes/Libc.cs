using System.Runtime.InteropServices;

namespace EfScaling.Testing.Processes;

/// <summary>The few libc calls that .NET does not offer.</summary>
internal static partial class Libc
{
    /// <summary><c>IPC_RMID</c>, the same on Linux and macOS.</summary>
    public const int RemoveSegment = 0;

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    public static partial int Kill(int pid, int signal);

    [LibraryImport("libc", EntryPoint = "usleep")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    public static partial int Sleep(uint microseconds);

    [LibraryImport("libc", EntryPoint = "shmctl", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    public static partial int SharedMemoryControl(int segment, int command, nint buffer);
}
