using EfScaling.Caching;
using EfScaling.Routing;

namespace EfScaling.Tests.Routing;

public sealed class QueryPlanTests
{
    public static TheoryData<string> Obstacles => [string.Empty, .. Enum.GetNames<RoutingReason>()];

    [Theory]
    [MemberData(nameof(Obstacles))]
    public void Survives_the_way_through_a_tag(string obstacle)
    {
        foreach (var target in Enum.GetValues<ReadTarget>())
        {
            foreach (TimeSpan? staleness in new TimeSpan?[] { null, TimeSpan.Zero, TimeSpan.FromTicks(1), 5.Seconds(), TimeSpan.MaxValue })
            {
                var plan = new QueryPlan(Reason(obstacle), new QueryHints(target, staleness), CacheHints.None);

                Assert.Equal(plan, QueryPlan.FromTag(plan.ToTag()));
            }
        }
    }

    [Theory]
    [InlineData("south")]
    [InlineData("south west -1\n")]
    public void Carries_the_shard_that_the_query_names(string shard)
    {
        var plan = new QueryPlan(null, QueryHints.TakeFrom(new HashSet<string> { QueryHints.ShardTag(shard) }), CacheHints.None);

        Assert.Equal(shard, plan.Hints.Shard);
        Assert.Equal(plan, QueryPlan.FromTag(plan.ToTag()));
        Assert.DoesNotContain('\n', plan.ToTag());
    }

    [Fact]
    public void Is_found_among_the_tags_of_the_user()
    {
        var tag = new QueryPlan(RoutingReason.RawSql, default, CacheHints.None).ToTag();

        Assert.Equal(tag, QueryPlan.FindTag(new HashSet<string> { "a tag", "EfScaling", tag, "another" }));
        Assert.Null(QueryPlan.FindTag(new HashSet<string> { "a tag" }));
        Assert.DoesNotContain('\n', tag);
    }

    [Theory]
    [InlineData(nameof(ReadTarget.Default), null, null)]
    [InlineData(nameof(ReadTarget.Default), nameof(RoutingReason.RawSql), nameof(RoutingReason.RawSql))]
    [InlineData(nameof(ReadTarget.Default), nameof(RoutingReason.TrackedRead), nameof(RoutingReason.TrackedRead))]
    [InlineData(nameof(ReadTarget.Primary), null, nameof(RoutingReason.PrimaryRequested))]
    [InlineData(nameof(ReadTarget.Primary), nameof(RoutingReason.RawSql), nameof(RoutingReason.PrimaryRequested))]
    [InlineData(nameof(ReadTarget.Replica), null, null)]
    [InlineData(nameof(ReadTarget.Replica), nameof(RoutingReason.PrimaryOnlyTable), nameof(RoutingReason.PrimaryOnlyTable))]
    [InlineData(nameof(ReadTarget.Replica), nameof(RoutingReason.TrackedRead), nameof(RoutingReason.TrackedRead))]
    [InlineData(nameof(ReadTarget.Replica), nameof(RoutingReason.TrackedWithoutToken), nameof(RoutingReason.TrackedWithoutToken))]
    public void Stays_on_the_primary_for_a_reason(string target, string? obstacle, string? expected) =>
        Assert.Equal(Reason(expected), new QueryPlan(Reason(obstacle), new QueryHints(Enum.Parse<ReadTarget>(target), null), CacheHints.None).StaysOnPrimary());

    private static RoutingReason? Reason(string? name) => string.IsNullOrEmpty(name) ? null : Enum.Parse<RoutingReason>(name);
}
