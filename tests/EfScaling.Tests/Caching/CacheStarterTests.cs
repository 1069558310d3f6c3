using EfScaling.Caching;
using EfScaling.Tests.AspNetCore;
using Microsoft.Extensions.Logging.Abstractions;

namespace EfScaling.Tests.Caching;

public sealed class CacheStarterTests
{
    [Fact]
    public async Task A_store_that_throws_keeps_the_cache_out_of_use_and_harms_nobody()
    {
        var source = new ScriptedSource(_ => throw new NotSupportedException());
        var store = new UnreliableCacheStore { Throws = true };
        await using var publisher = new CachePublisher(store, new LocalVersions(), TimeProvider.System, NullLogger.Instance);
        var starter = new CacheStarter(store, source, database: null!, "efs", publisher, NullLogger.Instance);

        await starter.Begin(null);

        Assert.Null(starter.State);
    }
}
