using System.Runtime.CompilerServices;
using EfScaling.Testing;
using EfScaling.Testing.Processes;

namespace EfScaling.IntegrationTests.Testing;

/// <summary>A test that needs PostgreSQL or Redis: skipped where they are not installed, but not on a build server (EFSCALING_CI).</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ServerFactAttribute : FactAttribute
{
    private static readonly string? Missing = FindMissing();

    public ServerFactAttribute([CallerFilePath] string? sourceFilePath = null, [CallerLineNumber] int sourceLineNumber = -1)
        : base(sourceFilePath, sourceLineNumber)
    {
        Skip = Missing;
    }

    private static string? FindMissing()
    {
        if (Environment.GetEnvironmentVariable("EFSCALING_CI") is { Length: > 0 })
        {
            return null;
        }

        try
        {
            ServerBinaries.PostgresFolder();
            ServerBinaries.RedisServer();
            return null;
        }
        catch (ServerBinaryNotFoundException missing)
        {
            return missing.Message;
        }
    }
}
