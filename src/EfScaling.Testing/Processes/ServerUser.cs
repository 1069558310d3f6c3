namespace EfScaling.Testing.Processes;

/// <summary>The operating system user that PostgreSQL runs as: it refuses to run as root.</summary>
internal static class ServerUser
{
    /// <summary>User to switch to; <see langword="null"/> when this process is not root and needs no switch.</summary>
    public static string? Name { get; } = Choose();

    /// <summary>Name of whoever owns the data folders, for the names of shared files.</summary>
    public static string Owner => Name ?? Environment.UserName;

    /// <summary>Hands a file, or a folder with all its files, to the user. Does nothing when no switch is needed.</summary>
    public static async Task OwnAsync(string path, CancellationToken cancellationToken = default)
    {
        if (Name is { } user)
        {
            await CommandLine.RunAsync("chown", ["-R", user, path], new CommandSettings(), cancellationToken).ConfigureAwait(false);
        }
    }

    private static string? Choose()
    {
        if (!Environment.IsPrivilegedProcess)
        {
            return null;
        }

        var known = File.ReadLines("/etc/passwd").Select(line => line.Split(':')[0]).ToHashSet(StringComparer.Ordinal);
        return known.Contains("postgres") ? "postgres" : "nobody";
    }
}
