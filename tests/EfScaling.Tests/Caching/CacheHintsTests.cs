using EfScaling.Caching;

namespace EfScaling.Tests.Caching;

public sealed class CacheHintsTests
{
    private static readonly string[] _awkward = ["", "a", "a;b", "a/b", "=", "%3B", "EfScaling:Cache:Not", "größe 1 \"x\"\r\n", "a b", "--", "*/"];

    [Fact]
    public void Every_name_survives_the_way_through_tags_and_text()
    {
        var tags = new HashSet<string>(_awkward.SelectMany(a => new[]
        {
            CacheHints.NameTag(a), CacheHints.VaryTag(a), CacheHints.TableTag(new TableName(null, a)), CacheHints.TableTag(new TableName(a, a)),
        }))
        {
            CacheHints.TimeTag(TimeSpan.FromTicks(7), isSliding: true),
            CacheHints.ExpensiveTag,
            CacheHints.StaleTag(TimeSpan.FromTicks(8)),
            CacheHints.DownTag(TimeSpan.FromTicks(9)),
        };

        var hints = CacheHints.TakeFrom(tags);

        Assert.Empty(tags);
        Assert.Equal((CacheMode.Cacheable, TimeSpan.FromTicks(7), true, true), (hints.Mode, hints.TimeToLive, hints.IsSliding, hints.IsExpensive));
        Assert.Equal(TimeSpan.FromTicks(8), hints.StaleWhileRefilling);
        Assert.Equal(TimeSpan.FromTicks(9), hints.WhenDown);
        Assert.Equal(_awkward.Order(), hints.Tags.Order());
        Assert.Equal(_awkward.Order(), hints.VaryBy.Order());
        Assert.Equal(_awkward.SelectMany(a => new[] { new TableName(null, a), new TableName(a, a) }).Order(), hints.DependsOn.Order());
        Same(hints, CacheHints.FromText(hints.ToText()));
        Assert.DoesNotContain(hints.ToText(), char.IsWhiteSpace);
    }

    [Fact]
    public void Hints_that_say_nothing_survive_too()
    {
        Assert.Same(CacheHints.None, CacheHints.TakeFrom(new HashSet<string>()));
        Same(CacheHints.None, CacheHints.FromText(CacheHints.None.ToText()));
        Same(CacheHints.TakeFrom(new HashSet<string> { CacheHints.NotCacheableTag }), CacheHints.FromText(CacheHints.NotCacheableTag));
    }

    [Theory]
    [InlineData("EfScaling:Cache:Time=0")]
    [InlineData("EfScaling:Cache:Time=-2")]
    [InlineData("EfScaling:Cache:Time=x")]
    [InlineData("EfScaling:Cache:Stale=0")]
    [InlineData("EfScaling:Cache:Stale=-1")]
    [InlineData("EfScaling:Cache:Down=0")]
    [InlineData("EfScaling:Cache:Down=-1")]
    [InlineData("EfScaling:Cache:Nothing")]
    [InlineData("efscaling:cache:Not")]
    [InlineData("my tag")]
    public void A_tag_of_the_application_stays(string tag)
    {
        var tags = new HashSet<string> { tag };
        Assert.Equal(CacheMode.Unsaid, CacheHints.TakeFrom(tags).Mode);
        Assert.Equal([tag], tags);
    }

    [Fact]
    public void Declining_wins_and_then_the_shorter_time_in_any_order()
    {
        string[] times = [CacheHints.TimeTag(null, isSliding: false), CacheHints.TimeTag(TimeSpan.FromSeconds(2), isSliding: false), CacheHints.TimeTag(TimeSpan.FromSeconds(1), isSliding: false)];
        Assert.Equal(TimeSpan.FromSeconds(1), CacheHints.FromText(string.Join(';', times)).TimeToLive);
        Assert.Equal(TimeSpan.FromSeconds(1), CacheHints.FromText(string.Join(';', times.Reverse())).TimeToLive);
        Assert.Equal(CacheMode.NotCacheable, CacheHints.FromText($"{CacheHints.NotCacheableTag};{times[0]}").Mode);
        string[] ages = [CacheHints.StaleTag(TimeSpan.FromSeconds(2)), CacheHints.StaleTag(TimeSpan.FromSeconds(1))];
        Assert.Equal(TimeSpan.FromSeconds(1), CacheHints.FromText(string.Join(';', ages)).StaleWhileRefilling);
        Assert.Equal(TimeSpan.FromSeconds(1), CacheHints.FromText(string.Join(';', ages.Reverse())).StaleWhileRefilling);
        string[] downs = [CacheHints.DownTag(TimeSpan.FromSeconds(2)), CacheHints.DownTag(TimeSpan.FromSeconds(1))];
        Assert.Equal(TimeSpan.FromSeconds(1), CacheHints.FromText(string.Join(';', downs)).WhenDown);
        Assert.Equal(TimeSpan.FromSeconds(1), CacheHints.FromText(string.Join(';', downs.Reverse())).WhenDown);
        Assert.Equal(CacheMode.NotCacheable, CacheHints.FromText($"{times[0]};{CacheHints.NotCacheableTag}").Mode);
    }

    private static void Same(CacheHints expected, CacheHints actual)
    {
        Assert.Equal((expected.Mode, expected.TimeToLive, expected.IsSliding, expected.IsExpensive), (actual.Mode, actual.TimeToLive, actual.IsSliding, actual.IsExpensive));
        Assert.Equal((expected.StaleWhileRefilling, expected.WhenDown), (actual.StaleWhileRefilling, actual.WhenDown));
        Assert.Equal(expected.Tags, actual.Tags);
        Assert.Equal(expected.DependsOn, actual.DependsOn);
        Assert.Equal(expected.VaryBy, actual.VaryBy);
    }
}
