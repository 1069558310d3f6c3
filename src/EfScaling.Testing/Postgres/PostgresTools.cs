using EfScaling.Testing.Processes;

namespace EfScaling.Testing.Postgres;

/// <summary>The programs of one PostgreSQL version, run as the user that owns the data folders.</summary>
internal sealed class PostgresTools(string folder)
{
    public string Server { get; } = Path.Combine(folder, "postgres");

    public static PostgresTools Find() => new(ServerBinaries.PostgresFolder());

    public Task<string> RunAsync(string tool, IReadOnlyList<string> arguments, CommandSettings settings, CancellationToken cancellationToken) =>
        CommandLine.RunAsync(Path.Combine(folder, tool), arguments, settings with { User = ServerUser.Name }, cancellationToken);

    /// <summary>Copies a data folder that no server uses.</summary>
    public static Task CopyAsync(string source, string target, CancellationToken cancellationToken) =>
        CommandLine.RunAsync("cp", ["-Rp", source, target], new CommandSettings { User = ServerUser.Name }, cancellationToken);
}
