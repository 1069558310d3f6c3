using EfScaling.Consistency;
using EfScaling.Tests.AspNetCore;
using EfScaling.Topology;

namespace EfScaling.Tests.Consistency;

public class ConsistencySessionTests
{
    [Fact]
    public async Task Tells_shards_apart_that_share_their_servers()
    {
        var clock = new ManualClock();
        var (one, other) = (OnShard("one"), OnShard("other"));
        using var writer = ConsistencySession.Begin();
        writer.On(one).Wrote(ScriptedSource.Cluster, new WalPosition(50));
        writer.On(other).Wrote(ScriptedSource.Cluster, new WalPosition(80));
        var token = await writer.GetTokenAsync(TestContext.Current.CancellationToken);

        using var reader = ConsistencySession.Begin(token);

        Assert.Equal(new WalPosition(50), reader.Demand(one, ScriptedSource.Cluster).Position);
        Assert.Equal(new WalPosition(80), reader.Demand(other, ScriptedSource.Cluster).Position);

        ScriptedSource OnShard(string name) => new(_ => Task.FromResult<ServerPosition?>(null)) { Shard = name, ManualClock = clock };
    }
}
