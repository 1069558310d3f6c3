using System.Diagnostics;
using EfScaling.AspNetCore;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Testing;
using EfScaling.Topology;

namespace EfScaling.IntegrationTests.AspNetCore;

/// <summary>What responses carry when the primary cannot say how far its log has grown.</summary>
public sealed class LostPrimaryTests
{
    [Fact]
    public async Task Response_goes_out_with_a_token_and_the_next_request_finds_out()
    {
        await using var cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 1 });
        await BlogContext.CreateSchemaAsync(cluster);
        await using var instance = await WebInstance.StartAsync(cluster, o => o.TokenTimeout = TimeSpan.FromMilliseconds(300));
        using var user = new WebUser();
        await Eventually.ThatAsync(async () => (await user.ReadAsync(instance, "nothing")).Role == NodeRole.Replica, ReplicaReads.Patience, "the standby serves");
        var text = string.Empty;
        await Eventually.ThatAsync(
            async () =>
            {
                // A probe that comes between the write and the loss knows the position all the same; then the primary is lost once more.
                await cluster.Primary.ContinueAsync();
                user.Forget();
                text = $"{Guid.NewGuid()}";
                var started = Stopwatch.GetTimestamp();
                await user.WriteAsync(instance, text, "losing");
                Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, TimeSpan.FromSeconds(5));
                return instance.Log.Count(EfScalingAspNetCoreEventId.TokenIncomplete) > 0;
            },
            ReplicaReads.Patience,
            "a token without the position");
        Assert.NotNull(user.Cookie);

        await cluster.Primary.ContinueAsync();
        Assert.True((await user.ReadAsync(instance, text)).Found);
    }
}
