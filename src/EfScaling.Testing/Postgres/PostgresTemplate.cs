using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using EfScaling.Testing.Processes;

namespace EfScaling.Testing.Postgres;

/// <summary>An initialised, never started data folder, kept in the temporary folder so that <c>initdb</c> runs once a user and version.</summary>
internal sealed class PostgresTemplate(PostgresTools tools)
{
    // Raise it when the arguments of initdb change: folders of the older kind are then left alone.
    private const int Format = 1;

    private const string CountFile = "efscaling-files";

    /// <summary>Path of a complete template, made now when there is none.</summary>
    /// <remarks>Processes that make it at the same time each finish their own; the first rename wins and the others throw theirs away.</remarks>
    public async Task<string> GetAsync(ServerFolder folder, CancellationToken cancellationToken)
    {
        var path = await LocateAsync(cancellationToken).ConfigureAwait(false);
        if (IsComplete(path))
        {
            return path;
        }

        // Systems clear old files of the temporary folder one by one, so that half a template may be left.
        await ServerFolder.RemoveAsync(path).ConfigureAwait(false);
        var made = folder.Combine("template");
        await InitialiseAsync(made, cancellationToken).ConfigureAwait(false);
        try
        {
            Directory.Move(made, path);
            return path;
        }
        catch (IOException) when (IsComplete(path))
        {
            await ServerFolder.RemoveAsync(made).ConfigureAwait(false);
            return path;
        }
    }

    private static bool IsComplete(string path)
    {
        var count = Path.Combine(path, CountFile);
        return File.Exists(count) && File.ReadAllText(count) == CountOf(path);
    }

    private static string CountOf(string path) =>
        Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories)
            .Count(file => Path.GetFileName(file) != CountFile)
            .ToString(CultureInfo.InvariantCulture);

    private async Task<string> LocateAsync(CancellationToken cancellationToken)
    {
        // A package update may replace the programs under this process's feet, so the version is asked for each time.
        var version = await tools.RunAsync("initdb", ["--version"], new CommandSettings(), cancellationToken).ConfigureAwait(false);
        var key = SHA256.HashData(Encoding.UTF8.GetBytes($"{Format} {version}"));
        return Path.Combine(TempFolder.Path, $"efscaling-template-{ServerUser.Owner}-{Convert.ToHexStringLower(key)[..12]}");
    }

    private async Task InitialiseAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            await InitialiseAsync(path, "C.UTF-8", cancellationToken).ConfigureAwait(false);
        }
        catch (ServerStartException)
        {
            // A system without this locale, such as macOS. Sorting is the same, letter case is then known for ASCII only.
            await ServerFolder.RemoveAsync(path).ConfigureAwait(false);
            await InitialiseAsync(path, "C", cancellationToken).ConfigureAwait(false);
        }

        await File.WriteAllTextAsync(Path.Combine(path, CountFile), CountOf(path), cancellationToken).ConfigureAwait(false);
        await ServerUser.OwnAsync(path, cancellationToken).ConfigureAwait(false);
    }

    private Task<string> InitialiseAsync(string path, string characterType, CancellationToken cancellationToken) =>
        tools.RunAsync(
            "initdb",
            [
                "--pgdata", path, "--username", PostgresConfiguration.Superuser, "--auth", "trust", "--encoding", "UTF8",
                "--locale", "C", "--lc-ctype", characterType, "--no-sync",
            ],
            new CommandSettings(),
            cancellationToken);
}
