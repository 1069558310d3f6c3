using EfScaling.Caching;

namespace EfScaling.IntegrationTests.Caching;

public sealed class MemoryCacheStoreContractTests : CacheStoreContract
{
    private readonly MemoryCacheStore _store = new();

    protected override bool CanBreak => false;

    protected override Task<ICacheStore> OpenAsync() => Task.FromResult<ICacheStore>(_store);

    // What is used forgets what is not.
    protected override Task LoseAsync()
    {
        for (var i = 0; i < MemoryVersions.DefaultCapacity + 1; i++)
        {
            _store.Read(null, [$"used {i}"]);
        }

        return Task.CompletedTask;
    }
}
