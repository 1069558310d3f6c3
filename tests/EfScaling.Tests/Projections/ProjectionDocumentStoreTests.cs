using EfScaling.Projections;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Options;

namespace EfScaling.Tests.Projections;

public sealed class ProjectionDocumentStoreTests
{
    private readonly MemoryDistributedCache _cache = new(Options.Create(new MemoryDistributedCacheOptions()));
    private readonly ProjectionDocumentStore<View> _store;

    public ProjectionDocumentStoreTests() => _store = new ProjectionDocumentStore<View>(_cache);

    [Fact]
    public async Task Views_come_back_and_go()
    {
        Assert.Null(await _store.FindAsync("1"));
        await _store.WriteAsync("1", new View("a", [1, 2]), 1);
        await _store.WriteAsync("2", new View("b", []), 1);

        var view = await _store.FindAsync("1");
        Assert.Equal("a", view!.Name);
        Assert.Equal([1, 2], view.Numbers);

        await _store.RemoveAsync("1", 2);
        Assert.Null(await _store.FindAsync("1"));
        Assert.NotNull(await _store.FindAsync("2"));
    }

    [Fact]
    public async Task Older_versions_change_nothing_and_the_same_one_may_come_again()
    {
        await _store.WriteAsync("1", new View("new", []), 5);
        await _store.WriteAsync("1", new View("old", []), 4);
        Assert.Equal("new", (await _store.FindAsync("1"))!.Name);

        await _store.RemoveAsync("1", 4);
        Assert.Equal("new", (await _store.FindAsync("1"))!.Name);

        await _store.WriteAsync("1", new View("again", []), 5);
        Assert.Equal("again", (await _store.FindAsync("1"))!.Name);
    }

    [Fact]
    public async Task Removed_view_is_not_brought_back_by_an_older_version()
    {
        await _store.RemoveAsync("1", 5);
        await _store.WriteAsync("1", new View("old", []), 4);
        Assert.Null(await _store.FindAsync("1"));

        await _store.WriteAsync("1", new View("new", []), 6);
        Assert.Equal("new", (await _store.FindAsync("1"))!.Name);
    }

    [Fact]
    public async Task Document_that_cannot_be_read_is_replaced()
    {
        await _cache.SetStringAsync("efscaling:view:View:1", "{ no document");

        await _store.WriteAsync("1", new View("new", []), 1);

        Assert.Equal("new", (await _store.FindAsync("1"))!.Name);
    }

    private sealed record View(string Name, int[] Numbers);
}
