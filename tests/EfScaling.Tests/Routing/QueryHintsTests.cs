using EfScaling.Routing;

namespace EfScaling.Tests.Routing;

public sealed class QueryHintsTests
{
    [Theory]
    [InlineData("", nameof(ReadTarget.Default), null)]
    [InlineData("a user's tag", nameof(ReadTarget.Default), null)]
    [InlineData("primary", nameof(ReadTarget.Primary), null)]
    [InlineData("replica", nameof(ReadTarget.Replica), null)]
    [InlineData("primary|replica", nameof(ReadTarget.Primary), null)] // the stricter wins, whatever the order
    [InlineData("replica|primary", nameof(ReadTarget.Primary), null)]
    [InlineData("2000", nameof(ReadTarget.Default), 2_000)]
    [InlineData("2000|500", nameof(ReadTarget.Default), 500)]
    [InlineData("500|2000", nameof(ReadTarget.Default), 500)]
    [InlineData("0|2000", nameof(ReadTarget.Default), 0)]
    [InlineData("replica|2000", nameof(ReadTarget.Replica), 2_000)]
    [InlineData("2000|primary", nameof(ReadTarget.Primary), 2_000)]
    public void The_stricter_of_several_hints_wins(string hints, string target, int? milliseconds)
    {
        var tags = new HashSet<string>(hints.Split('|').Select(Tag));

        var taken = QueryHints.TakeFrom(tags);

        Assert.Equal(target, taken.Target.ToString());
        Assert.Equal(milliseconds?.Milliseconds(), taken.MaxStaleness);
    }

    [Fact]
    public void Taking_the_hints_leaves_the_tags_of_the_user()
    {
        var tags = new HashSet<string> { "first", QueryHints.PrimaryTag, "AsPrimary", QueryHints.StalenessTag(1.Seconds()), "last" };

        QueryHints.TakeFrom(tags);

        Assert.Equal(["first", "AsPrimary", "last"], tags);
    }

    [Theory]
    [InlineData(0L, 0L)]
    [InlineData(1L, 1L)]
    [InlineData(99L, 99L)]
    [InlineData(100L, 100L)]
    [InlineData(101L, 100L)]
    [InlineData(119L, 110L)]
    [InlineData(999L, 990L)]
    [InlineData(50_000_000L, 50_000_000L)] // five seconds
    [InlineData(12_345_678L, 12_000_000L)]
    [InlineData(long.MaxValue, long.MaxValue)] // any age
    public void A_limit_is_rounded_down_to_two_significant_digits(long ticks, long rounded)
    {
        var hints = QueryHints.TakeFrom(new HashSet<string> { QueryHints.StalenessTag(TimeSpan.FromTicks(ticks)) });

        Assert.Equal(rounded, hints.MaxStaleness!.Value.Ticks);
    }

    [Fact]
    public void The_number_of_different_tags_stays_small_whatever_limits_an_application_computes()
    {
        var tags = Enumerable.Range(1, 10_000).Select(ms => QueryHints.StalenessTag(ms.Milliseconds())).Distinct().Count();

        // Ninety for each power of ten, and the single digits.
        Assert.InRange(tags, 1, 4 * 90);
    }

    private static string Tag(string hint) => hint switch
    {
        "primary" => QueryHints.PrimaryTag,
        "replica" => QueryHints.ReplicaTag,
        _ when int.TryParse(hint, out var milliseconds) => QueryHints.StalenessTag(milliseconds.Milliseconds()),
        _ => hint,
    };
}
