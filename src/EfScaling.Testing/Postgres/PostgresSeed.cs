using EfScaling.Testing.Processes;

namespace EfScaling.Testing.Postgres;

/// <summary>Makes the data folder that a cluster grows from: template, own identity, password and database.</summary>
internal sealed class PostgresSeed(PostgresTools tools, PostgresConfiguration configuration, PostgresClusterOptions options)
{
    public async Task PlantAsync(ServerFolder folder, PostgresServer primary, CancellationToken cancellationToken)
    {
        var template = await new PostgresTemplate(tools).GetAsync(folder, cancellationToken).ConfigureAwait(false);
        await PostgresTools.CopyAsync(template, primary.DataFolder, cancellationToken).ConfigureAwait(false);
        await PostgresIdentity.RenewAsync(tools, primary.DataFolder, cancellationToken).ConfigureAwait(false);
        await configuration.WriteAsync(primary.DataFolder, primary.Name, primary.Port, upstreamPort: null, cancellationToken).ConfigureAwait(false);
        await PrepareAsync(primary.DataFolder, cancellationToken).ConfigureAwait(false);
    }

    // Single-user mode: no port, nobody else can connect before the password is set, and no second start and stop.
    private async Task PrepareAsync(string data, CancellationToken cancellationToken)
    {
        var sql = $"ALTER ROLE {PostgresConfiguration.Superuser} PASSWORD '{configuration.Password}'\n";
        if (options.Database != "postgres")
        {
            sql += $"CREATE DATABASE \"{options.Database.Replace("\"", "\"\"", StringComparison.Ordinal)}\"\n";
        }

        // An error in a statement ends the session only with this setting; the default goes on and reports success.
        await tools.RunAsync(
            "postgres",
            [
                "--single", "-D", data, "-c", "exit_on_error=on", "-c", "log_min_messages=error", "-c", "fsync=off",
                "-c", "synchronous_standby_names=", "-c", "default_transaction_read_only=off", "postgres",
            ],
            new CommandSettings { WorkingDirectory = data, Input = sql },
            cancellationToken).ConfigureAwait(false);
    }
}
