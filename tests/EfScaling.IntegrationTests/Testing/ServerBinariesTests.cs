using EfScaling.Testing;
using EfScaling.Testing.Processes;

namespace EfScaling.IntegrationTests.Testing;

/// <summary>Changes environment variables of the process, so nothing else may start servers meanwhile.</summary>
[CollectionDefinition(nameof(ServerBinariesTests), DisableParallelization = true)]
[Collection(nameof(ServerBinariesTests))]
public sealed class ServerBinariesTests
{
    [Theory]
    [InlineData(ServerBinaries.PostgresVariable, "postgres")]
    [InlineData(ServerBinaries.RedisVariable, "redis-server")]
    public async Task A_program_that_is_missing_where_the_environment_points_is_named(string variable, string program)
    {
        var ct = TestContext.Current.CancellationToken;
        var before = Environment.GetEnvironmentVariable(variable);
        Environment.SetEnvironmentVariable(variable, "/nowhere");
        try
        {
            var missing = await Assert.ThrowsAsync<ServerBinaryNotFoundException>(
                () => program == "postgres" ? PostgresCluster.StartAsync(cancellationToken: ct) : RedisServer.StartAsync(cancellationToken: ct));

            Assert.Equal(program, missing.Binary);
            Assert.Contains(variable, missing.Message, StringComparison.Ordinal);
        }
        finally
        {
            Environment.SetEnvironmentVariable(variable, before);
        }
    }
}
