using EfScaling.Caching;

namespace EfScaling.Tests.Caching;

public sealed class WritesUnderWayTests
{
    private readonly WritesUnderWay _writes = new();

    [Fact]
    public void A_version_is_under_way_until_its_last_writer_is_done()
    {
        _writes.Add(["a", "b"]);
        _writes.Add(["b", "c"]);
        Assert.True(_writes.ContainsAny(["x", "a"]));
        Assert.False(_writes.ContainsAny(["x"]));
        Assert.False(_writes.ContainsAny([]));

        _writes.Remove(["a", "b"]);

        Assert.False(_writes.ContainsAny(["a"]));
        Assert.True(_writes.ContainsAny(["b"]));
        _writes.Remove(["b", "c"]);
        Assert.False(_writes.ContainsAny(["a", "b", "c"]));
    }

    [Fact]
    public async Task Many_writers_at_once_leave_nothing_behind()
    {
        await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Task.Run(() =>
        {
            string[] versions = [$"v{i % 3}", "all"];
            for (var j = 0; j < 1_000; j++)
            {
                _writes.Add(versions);
                Assert.True(_writes.ContainsAny(versions));
                _writes.Remove(versions);
            }
        })));
        Assert.False(_writes.ContainsAny(["v0", "v1", "v2", "all"]));
    }
}
