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
