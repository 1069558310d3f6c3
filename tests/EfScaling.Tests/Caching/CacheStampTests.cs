using EfScaling.Caching;

namespace EfScaling.Tests.Caching;

public sealed class CacheStampTests
{
    [Fact]
    public void Every_part_counts()
    {
        UInt128[] stamps =
        [
            Of([], 1, 1), Of([0], 1, 1), Of([0, 0], 1, 1), Of([1], 1, 1), Of([1, 0], 1, 1), Of([0, 1], 1, 1), Of([1, 2], 1, 1), Of([2, 1], 1, 1),
            Of([1, 2], 2, 1), Of([1, 2], 1, 2), Of([1, 2], 2, 2), Of([-1, 2], 1, 1), Of([1 << 8, 2], 1, 1), Of([1, 2, 1], 1, 1), Of([long.MinValue, 2], 1, 1),
        ];
        Assert.Equal(stamps.Length, stamps.Distinct().Count());
    }

    [Fact]
    public void The_same_parts_make_the_same_stamp_added_one_by_one()
    {
        var stamp = new CacheStamp(stackalloc byte[CacheStamp.SizeOf(2)]);
        stamp.Add(5);
        stamp.Add(-6);
        Assert.Equal(Of([5, -6], 7, 8), stamp.Complete(7, 8));
    }

    private static UInt128 Of(long[] versions, long incarnation, uint timeline) => CacheStamp.Of(CacheReading.Of(null, versions, incarnation), timeline);
}
