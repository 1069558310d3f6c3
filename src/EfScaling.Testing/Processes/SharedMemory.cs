using System.Globalization;

namespace EfScaling.Testing.Processes;

/// <summary>Removes the System V segment that a killed PostgreSQL leaves in the kernel; removing its data folder does not.</summary>
internal static class SharedMemory
{
    /// <summary>Reads the segment from the seventh line of <c>postmaster.pid</c> (key and id) and removes it.</summary>
    public static void Release(string postmasterPidFile)
    {
        if (!File.Exists(postmasterPidFile))
        {
            return;
        }

        var line = File.ReadLines(postmasterPidFile).ElementAtOrDefault(6) ?? "";
        var parts = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (parts.Length == 2 && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var segment))
        {
            _ = Libc.SharedMemoryControl(segment, Libc.RemoveSegment, 0);
        }
    }
}
