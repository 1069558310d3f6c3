using EfScaling.Tests.Replication;

namespace EfScaling.Tests.Topology;

public sealed class NodeTests
{
    [Fact]
    public void Is_busy_while_every_connection_is_in_use()
    {
        var node = ScriptedCluster.NodeAt(1, maxConnections: 2);
        node.Enter();
        Assert.False(node.IsBusy);

        node.Enter();
        Assert.True(node.IsBusy);

        node.Leave();
        Assert.False(node.IsBusy);
        Assert.Equal(1, node.InFlight);
    }

    [Fact]
    public void Latency_follows_a_change_within_a_handful_of_reads()
    {
        var node = ScriptedCluster.NodeAt(1);
        Assert.Equal(0, node.LatencySeconds);

        node.RecordLatency(10.Milliseconds(), 1);
        Assert.Equal(0.010, node.LatencySeconds, 6);

        node.RecordLatency(110.Milliseconds(), 2);
        Assert.Equal(0.030, node.LatencySeconds, 6);
        Assert.Equal(2, node.LatencyAt);

        for (var read = 0; read < 20; read++)
        {
            node.RecordLatency(110.Milliseconds(), 3);
        }

        Assert.InRange(node.LatencySeconds, 0.105, 0.110);
    }

    [Fact]
    public async Task Only_one_of_many_takes_the_trial()
    {
        var node = ScriptedCluster.NodeAt(1);

        var taken = await Task.WhenAll(Enumerable.Range(0, 32).Select(_ => Task.Run(node.TryTakeTrial)));

        Assert.Single(taken, t => t);

        node.EndTrial();
        Assert.True(node.TryTakeTrial());
    }

    [Fact]
    public void Is_named_by_host_and_port() => Assert.Equal("node1:5432", ScriptedCluster.NodeAt(1).ToString());
}
