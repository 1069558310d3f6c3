using EfScaling.Caching;
using EfScaling.Caching.Redis;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Testing;

namespace EfScaling.IntegrationTests.Caching.Redis;

public sealed class RedisCacheStoreContractTests : CacheStoreContract
{
    private RedisServer? _server;

    protected override async Task<ICacheStore> OpenAsync()
    {
        _server ??= await RedisServer.StartAsync();
        return new KeyedCacheStore(new RedisCacheStore(RedisStores.OptionsOf(_server) with { MaxWait = TimeSpan.FromSeconds(1) }, TimeProvider.System, new EventLog()));
    }

    protected override Task LoseAsync() => _server!.ExecuteAsync("FLUSHALL");

    protected override Task BreakAsync() => _server!.KillAsync();

    protected override Task MendAsync() => _server!.StartAsync();

    protected override async ValueTask CloseAsync() => await (_server?.DisposeAsync() ?? ValueTask.CompletedTask);
}
