using System.Globalization;
using EfScaling.Testing.Processes;

namespace EfScaling.Testing.Postgres;

/// <summary>Copies the data folder of a running server.</summary>
internal static class BaseBackup
{
    public static Task TakeAsync(
        PostgresTools tools, PostgresConfiguration configuration, PostgresServer source, string target, CancellationToken cancellationToken) =>
        tools.RunAsync(
            "pg_basebackup",
            [
                "--pgdata", target, "--host", source.Host, "--port", source.Port.ToString(CultureInfo.InvariantCulture),
                "--username", PostgresConfiguration.Superuser, "--no-password", "--checkpoint", "fast", "--wal-method", "stream",
                "--no-sync", "--no-manifest",
            ],
            new CommandSettings { Environment = new Dictionary<string, string> { ["PGPASSWORD"] = configuration.Password } },
            cancellationToken);
}
