using System.Diagnostics;
using EfScaling.Testing;

namespace EfScaling.IntegrationTests.Testing;

public sealed class RedisSentinelClusterTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [ServerFact]
    public async Task Sentinels_agree_on_a_new_master_when_the_master_is_killed_and_it_returns_as_a_replica()
    {
        var start = Stopwatch.GetTimestamp();
        await using var cluster = await RedisSentinelCluster.StartAsync(cancellationToken: Ct);
        output.WriteLine($"Started in {Stopwatch.GetElapsedTime(start).TotalMilliseconds:F0} ms.");
        var former = await cluster.GetMasterAsync(Ct);
        Assert.Same(cluster.Servers[0], former);
        await former.ExecuteAsync("SET", "k", "v");
        await Eventually.ThatAsync(async () => await cluster.Servers[1].ExecuteAsync("GET", "k") == "v", Patience, "the replica to have the key", Ct);

        start = Stopwatch.GetTimestamp();
        await former.KillAsync();
        var master = await cluster.WaitForNewMasterAsync(former, cancellationToken: Ct);
        output.WriteLine($"Failed over in {Stopwatch.GetElapsedTime(start).TotalMilliseconds:F0} ms.");

        Assert.Same(cluster.Servers[1], master);
        Assert.Equal([master.Endpoint], await NamedMastersAsync(cluster));
        Assert.Equal("v", await master.ExecuteAsync("GET", "k"));
        Assert.Equal("OK", await master.ExecuteAsync("SET", "k", "w"));

        await former.StartAsync(Ct);
        await Eventually.ThatAsync(
            async () => await RoleAsync(former) == "slave" && await former.TryExecuteAsync(["GET", "k"], TimeSpan.FromSeconds(1), Ct) == "w",
            Patience, "the former master to follow the new one", Ct);

        await master.StopAsync(Ct);
        await master.StartAsync(Ct);
        Assert.Equal("master", await RoleAsync(master));
    }

    [ServerFact]
    public async Task Sentinels_agree_on_a_new_master_when_told_to_fail_over_and_back()
    {
        await using var cluster = await RedisSentinelCluster.StartAsync(new() { Replicas = 2, ServiceName = "cache" }, Ct);
        Assert.Equal("cache", cluster.ServiceName);
        Assert.Equal(3, cluster.SentinelEndpoints.Distinct().Count());
        var first = cluster.Servers[0];

        var second = await cluster.FailOverAsync(Ct);
        Assert.NotSame(first, second);
        Assert.Equal("master", await RoleAsync(second));
        Assert.Equal([second.Endpoint], await NamedMastersAsync(cluster));
        await Eventually.ThatAsync(async () => await RoleAsync(first) == "slave", Patience, "the former master to be a replica", Ct);

        await second.SuspendAsync();
        var third = await cluster.WaitForNewMasterAsync(second, cancellationToken: Ct);
        Assert.NotSame(second, third);
        await second.ContinueAsync();
        await Eventually.ThatAsync(async () => await RoleAsync(second) == "slave", Patience, "the frozen master to be a replica", Ct);
    }

    [ServerFact]
    public async Task Fails_over_with_passwords_users_and_TLS_everywhere()
    {
        await using var cluster = await RedisSentinelCluster.StartAsync(
            new()
            {
                Server = new() { Tls = true, Users = ["default off", "app on >secret ~* +get +set"] },
                SentinelPassword = "watch",
            },
            Ct);
        Assert.All(cluster.Servers.Concat(cluster.Sentinels), member => Assert.Equal(cluster.Servers[0].CertificateAuthority, member.CertificateAuthority));
        Assert.All(cluster.Sentinels, sentinel => Assert.Equal("watch", sentinel.Password));

        await cluster.Servers[0].ExecuteAsync("SET", "k", "v");
        await cluster.Servers[0].KillAsync();
        var master = await cluster.WaitForNewMasterAsync(cluster.Servers[0], cancellationToken: Ct);

        Assert.Equal("OK", await master.ExecuteAsync("SET", "k", "w"));
    }

    [ServerFact]
    public async Task One_sentinel_less_still_fails_over_and_two_less_do_not()
    {
        await using var cluster = await RedisSentinelCluster.StartAsync(cancellationToken: Ct);
        await cluster.Sentinels[0].KillAsync();
        await cluster.Servers[0].KillAsync();
        var master = await cluster.WaitForNewMasterAsync(cluster.Servers[0], cancellationToken: Ct);
        Assert.Same(cluster.Servers[1], master);

        await cluster.Sentinels[1].SuspendAsync();
        await Assert.ThrowsAsync<TimeoutException>(() => cluster.WaitForNewMasterAsync(master, TimeSpan.Zero, Ct));

        // A sentinel that starts again has kept what it learned.
        await cluster.Sentinels[0].StartAsync(Ct);
        Assert.Same(master, await cluster.GetMasterAsync(Ct));
    }

    [ServerFact]
    public async Task Refuses_to_fail_over_without_a_replica_that_runs()
    {
        await using var cluster = await RedisSentinelCluster.StartAsync(new() { DownAfter = TimeSpan.FromMilliseconds(300) }, Ct);
        await cluster.Servers[1].KillAsync();
        await Eventually.ThatAsync(
            async () => (await cluster.Sentinels[0].ExecuteAsync("SENTINEL", "REPLICAS", cluster.ServiceName))!.Contains("s_down", StringComparison.Ordinal),
            Patience, "the sentinel to miss the replica", Ct);

        var refusal = await Assert.ThrowsAsync<InvalidOperationException>(() => cluster.FailOverAsync(Ct));

        Assert.Contains("NOGOODSLAVE", refusal.Message, StringComparison.Ordinal);
        Assert.Same(cluster.Servers[0], await cluster.GetMasterAsync(Ct));
    }

    [Fact]
    public void Options_refuse_what_no_cluster_can_have()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new RedisSentinelClusterOptions { Replicas = 0 });
        Assert.Throws<ArgumentException>(() => new RedisSentinelClusterOptions { ServiceName = "two words" });
        Assert.Throws<ArgumentException>(() => new RedisSentinelClusterOptions { SentinelPassword = "a\nb" });
        Assert.Throws<ArgumentOutOfRangeException>(() => new RedisSentinelClusterOptions { DownAfter = TimeSpan.Zero });
        Assert.Throws<ArgumentOutOfRangeException>(() => new RedisSentinelClusterOptions { FailoverTimeout = TimeSpan.FromDays(1) });
    }

    // Sentinels close the connections of a server that they reconfigure.
    private static async Task<string?> RoleAsync(RedisServer server) =>
        (await server.TryExecuteAsync(["ROLE"], TimeSpan.FromSeconds(1), Ct))?.Split('\n')[0];

    private static async Task<IEnumerable<string>> NamedMastersAsync(RedisSentinelCluster cluster)
    {
        var named = await Task.WhenAll(cluster.Sentinels.Select(sentinel => sentinel.ExecuteAsync("SENTINEL", "GET-MASTER-ADDR-BY-NAME", cluster.ServiceName)));
        return named.Select(address => address!.Replace('\n', ':')).Distinct();
    }
}
