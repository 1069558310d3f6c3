using System.Globalization;

namespace EfScaling.Testing.Processes;

/// <summary>Ends servers whose owner was killed together with its watchdog, and removes their folders.</summary>
internal static class Leftovers
{
    // A folder without an owner file is being made or being removed right now, unless it stays so.
    private static readonly TimeSpan GraceWithoutOwner = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan EndTime = TimeSpan.FromSeconds(5);

    public static async Task RemoveAsync()
    {
        foreach (var folder in Directory.EnumerateDirectories(TempFolder.Path, ServerFolder.Prefix + "*"))
        {
            try
            {
                await RemoveIfAbandonedAsync(folder).ConfigureAwait(false);
            }
            catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
            {
                // Of another user, or another process cleans it at this moment: in both cases not ours to finish.
                continue;
            }
        }
    }

    private static async Task RemoveIfAbandonedAsync(string folder)
    {
        var ownerPath = Path.Combine(folder, ServerFolder.OwnerFile);
        if (!File.Exists(ownerPath))
        {
            if (TimeProvider.System.GetUtcNow() - Directory.GetLastWriteTimeUtc(folder) > GraceWithoutOwner)
            {
                await EndServersAsync(folder).ConfigureAwait(false);
                await ServerFolder.RemoveAsync(folder).ConfigureAwait(false);
            }

            return;
        }

        // The lock says more than the pid: it holds across containers that share the folder but not the process ids.
        var owner = new FileStream(ownerPath, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
        await using (owner.ConfigureAwait(false))
        {
            using var reader = new StreamReader(owner, leaveOpen: true);
            if (!IsAlive(await reader.ReadToEndAsync().ConfigureAwait(false)))
            {
                await EndServersAsync(folder).ConfigureAwait(false);
                await ServerFolder.RemoveAsync(folder).ConfigureAwait(false);
            }
        }
    }

    private static bool IsAlive(string owner) =>
        owner.Split(' ') is [var id, var mark]
        && int.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out var pid)
        && ProcessTable.StartMark(pid) == mark;

    private static async Task EndServersAsync(string folder)
    {
        var deadline = Deadline.After(EndTime);
        while (await ProcessTable.ServersInAsync(folder).ConfigureAwait(false) is { Count: > 0 } servers)
        {
            foreach (var pid in servers)
            {
                UnixSignal.Send(pid, UnixSignal.Kill);
            }

            if (deadline.HasPassed)
            {
                throw new IOException($"Servers of an abandoned run in '{folder}' do not end: remove them by hand.");
            }

            await Task.Delay(20).ConfigureAwait(false);
        }

        foreach (var pidFile in Directory.EnumerateFiles(folder, "postmaster.pid", SearchOption.AllDirectories))
        {
            SharedMemory.Release(pidFile);
        }
    }
}
