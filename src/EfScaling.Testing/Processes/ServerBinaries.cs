namespace EfScaling.Testing.Processes;

/// <summary>Finds the programs of the servers: the environment's choice, then PATH, then the usual folders.</summary>
internal static class ServerBinaries
{
    public const string PostgresVariable = "EFSCALING_POSTGRES_BIN";
    public const string RedisVariable = "EFSCALING_REDIS_SERVER";

    private static readonly string[] PostgresRoots =
        ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt", "/opt/local/lib", "/Library/PostgreSQL"];

    private static readonly string[] LibraryRoots = ["/usr/lib", "/usr/lib64", "/usr/local/lib"];

    private static readonly string[] RedisFolders = ["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin", "/opt/local/bin"];

    /// <summary>The folder that holds <c>postgres</c>, <c>initdb</c> and the other programs of one version.</summary>
    /// <exception cref="ServerBinaryNotFoundException">No folder holds them all.</exception>
    public static string PostgresFolder()
    {
        string[] needed = ["postgres", "initdb", "pg_resetwal", "pg_basebackup"];
        if (Environment.GetEnvironmentVariable(PostgresVariable) is { Length: > 0 } chosen)
        {
            return Array.Find(needed, name => !File.Exists(Path.Combine(chosen, name))) is { } absent
                ? throw new ServerBinaryNotFoundException(
                    absent, $"Looked for '{absent}' in '{chosen}', named by {PostgresVariable}: set it to the bin folder of PostgreSQL 15 or later.")
                : chosen;
        }

        return PathFolders().Select(RealFolderOfPostgres).Concat(InstalledVersions())
            .FirstOrDefault(folder => folder is not null && needed.All(name => File.Exists(Path.Combine(folder, name))))
            ?? throw new ServerBinaryNotFoundException(
                "postgres",
                $"Looked for the programs of PostgreSQL 15 or later in PATH and the usual folders: install 'postgresql' (Debian, Ubuntu, Homebrew) "
                + $"or 'postgresql-server' and 'postgresql-contrib' (Fedora), or set {PostgresVariable} to its bin folder.");
    }

    /// <summary>Path of <c>redis-server</c>.</summary>
    /// <exception cref="ServerBinaryNotFoundException">It is nowhere.</exception>
    public static string RedisServer()
    {
        if (Environment.GetEnvironmentVariable(RedisVariable) is { Length: > 0 } chosen)
        {
            return File.Exists(chosen)
                ? chosen
                : throw new ServerBinaryNotFoundException(
                    "redis-server", $"Looked for '{chosen}', named by {RedisVariable}: set it to the path of redis-server.");
        }

        return PathFolders().Concat(RedisFolders).Select(folder => Path.Combine(folder, "redis-server")).FirstOrDefault(File.Exists)
            ?? throw new ServerBinaryNotFoundException(
                "redis-server",
                $"Looked for 'redis-server' in PATH and the usual folders: install 'redis-server' (Debian, Ubuntu) or 'redis' (Fedora, Homebrew), "
                + $"or set {RedisVariable} to its path.");
    }

    /// <summary>Path of the library that tells a program another time.</summary>
    /// <exception cref="ServerBinaryNotFoundException">It is nowhere.</exception>
    public static string FakeTimeLibrary() =>
        LibraryRoots.Where(Directory.Exists)
            .SelectMany(root => Directory.EnumerateDirectories(root, "faketime", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 1 }))
            .Select(folder => Path.Combine(folder, "libfaketime.so.1"))
            .FirstOrDefault(File.Exists)
        ?? throw new ServerBinaryNotFoundException("libfaketime", "Looked for 'libfaketime.so.1' in the usual folders: install 'faketime' (Debian, Ubuntu) or 'libfaketime' (Fedora, Arch).");

    private static string[] PathFolders() =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);

    // A link to a single program in PATH leads to the folder that holds all of them.
    private static string? RealFolderOfPostgres(string folder)
    {
        var program = Path.Combine(folder, "postgres");
        return File.Exists(program) ? Path.GetDirectoryName(File.ResolveLinkTarget(program, returnFinalTarget: true)?.FullName ?? program) : null;
    }

    private static IEnumerable<string> InstalledVersions() =>
        PostgresRoots.Where(Directory.Exists)
            .SelectMany(root => Directory.EnumerateDirectories(root))
            .Select(folder => (Bin: Path.Combine(folder, "bin"), Version: VersionIn(Path.GetFileName(folder))))
            .Where(found => found.Version > 0)
            .OrderByDescending(found => found.Version)
            .Select(found => found.Bin);

    // '15', 'postgresql@16' and 'postgresql15' all name a version.
    private static int VersionIn(string folder)
    {
        var digits = new string([.. folder.SkipWhile(c => !char.IsAsciiDigit(c)).TakeWhile(char.IsAsciiDigit)]);
        var prefix = folder[..^digits.Length];
        return prefix is "" or "postgresql" or "postgresql@" && int.TryParse(digits, out var version) ? version : 0;
    }
}
