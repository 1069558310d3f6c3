using System.Diagnostics;

namespace EfScaling.Testing.Processes;

/// <summary>Starts programs with a clean environment, and runs tools to their end.</summary>
internal static class CommandLine
{
    public static ProcessStartInfo Describe(string program, IEnumerable<string> arguments, CommandSettings settings)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            UseShellExecute = false,
            WorkingDirectory = settings.WorkingDirectory,
        };
        if (settings.User is { } user)
        {
            start.UserName = user;
        }

        // PGPORT, PGDATA, PGOPTIONS and the like of the caller's shell would change what the server does.
        foreach (var name in start.Environment.Keys.Where(key => key.StartsWith("PG", StringComparison.Ordinal)).ToList())
        {
            start.Environment.Remove(name);
        }

        start.Environment["LC_ALL"] = "C";
        foreach (var (name, value) in settings.Environment)
        {
            start.Environment[name] = value;
        }

        return start;
    }

    /// <summary>Runs a tool and returns its standard output.</summary>
    /// <exception cref="ServerStartException">The tool ended with another status than zero.</exception>
    public static async Task<string> RunAsync(
        string program, IReadOnlyList<string> arguments, CommandSettings settings, CancellationToken cancellationToken = default)
    {
        var start = Describe(program, arguments, settings);
        start.RedirectStandardInput = true;
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;

        using var process = Process.Start(start)!;
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
            var errors = process.StandardError.ReadToEndAsync(cancellationToken);
            await process.StandardInput.WriteAsync(settings.Input.AsMemory(), cancellationToken).ConfigureAwait(false);
            process.StandardInput.Close();
            await process.WaitForExitAsync(cancellationToken).ConfigureAwait(false);

            var said = await output.ConfigureAwait(false);
            var complained = await errors.ConfigureAwait(false);
            return process.ExitCode == 0
                ? said
                : throw new ServerStartException($"'{program}' ended with status {process.ExitCode}.", (said + complained).Trim());
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
    }
}
