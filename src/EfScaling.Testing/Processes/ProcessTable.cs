using System.Diagnostics;
using System.Globalization;

namespace EfScaling.Testing.Processes;

/// <summary>Reads which processes exist, who started them and which folder they belong to.</summary>
/// <remarks>From <c>/proc</c> on Linux, because containers often lack <c>ps</c>; from <c>ps</c> elsewhere.</remarks>
internal static class ProcessTable
{
    private static readonly string[] ServerNames = ["postgres", "redis-server", "initdb", "pg_basebackup"];

    /// <summary>Whether the process runs; one that has ended and waits to be collected does not.</summary>
    public static bool IsAlive(int pid)
    {
        if (OperatingSystem.IsLinux())
        {
            return ReadStat(pid) is { } stat && stat.State is not ('Z' or 'X');
        }

        return Libc.Kill(pid, 0) == 0;
    }

    /// <summary>A text that differs between two processes that had the same id one after the other.</summary>
    /// <returns><see langword="null"/> when no such process runs.</returns>
    public static string? StartMark(int pid)
    {
        if (OperatingSystem.IsLinux())
        {
            return ReadStat(pid)?.StartTime;
        }

        try
        {
            using var process = Process.GetProcessById(pid);
            return process.StartTime.ToUniversalTime().ToString("yyyyMMddHHmmss", CultureInfo.InvariantCulture);
        }
        catch (Exception gone) when (gone is ArgumentException or InvalidOperationException)
        {
            return null;
        }
    }

    public static async Task<IReadOnlyList<int>> ChildrenAsync(int parent)
    {
        if (OperatingSystem.IsLinux())
        {
            return [.. AllIds().Where(pid => ReadStat(pid)?.Parent == parent)];
        }

        var rows = await ListAsync("pid=,ppid=").ConfigureAwait(false);
        return [.. rows.Where(row => row.Text == parent.ToString(CultureInfo.InvariantCulture)).Select(row => row.Id)];
    }

    /// <summary>Server processes that work in a folder, or were started with a path inside it.</summary>
    /// <remarks>The program's name must fit too: a shell that stands in the folder is none of ours.</remarks>
    public static async Task<IReadOnlyList<int>> ServersInAsync(string folder)
    {
        var inside = folder.TrimEnd('/') + "/";
        if (OperatingSystem.IsLinux())
        {
            return [.. AllIds().Where(pid => ServerNames.Contains(ReadStat(pid)?.Name) && WorksIn(pid, inside))];
        }

        var rows = await ListAsync("pid=,command=").ConfigureAwait(false);
        return [.. rows.Where(row => row.Text.Contains(inside, StringComparison.Ordinal) && ServerNames.Any(row.Text.Contains)).Select(row => row.Id)];
    }

    private static bool WorksIn(int pid, string inside)
    {
        try
        {
            var target = new FileInfo($"/proc/{pid}/cwd").LinkTarget;
            return target is not null && (target + "/").StartsWith(inside, StringComparison.Ordinal);
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            // Gone, or of another user: not a process we may touch.
            return false;
        }
    }

    private static IEnumerable<int> AllIds()
    {
        foreach (var entry in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(entry), NumberStyles.None, CultureInfo.InvariantCulture, out var pid))
            {
                yield return pid;
            }
        }
    }

    private static ProcessStat? ReadStat(int pid)
    {
        try
        {
            return ProcessStat.Parse(File.ReadAllText($"/proc/{pid}/stat"));
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static async Task<IReadOnlyList<(int Id, string Text)>> ListAsync(string columns)
    {
        var output = await CommandLine.RunAsync("ps", ["-axo", columns], new CommandSettings()).ConfigureAwait(false);
        var rows = new List<(int, string)>();
        foreach (var line in output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var space = line.IndexOf(' ', StringComparison.Ordinal);
            if (space > 0 && int.TryParse(line.AsSpan(0, space), NumberStyles.None, CultureInfo.InvariantCulture, out var pid))
            {
                rows.Add((pid, line[space..].Trim()));
            }
        }

        return rows;
    }
}
