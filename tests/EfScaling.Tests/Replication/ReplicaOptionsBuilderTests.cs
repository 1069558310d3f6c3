using EfScaling.Replication;
using Npgsql;

namespace EfScaling.Tests.Replication;

public sealed class ReplicaOptionsBuilderTests
{
    private static readonly NpgsqlDataSource _dataSource = NpgsqlDataSource.Create("Host=replica");

    // What is called with which bad value, and the argument and value that the message names.
    private static readonly Dictionary<string, (Action<ReplicaOptionsBuilder> Call, string Argument, string Value)> _badValues = new()
    {
        ["weight of zero"] = (r => r.AddReplica("Host=a", weight: 0), "weight", "0"),
        ["negative weight"] = (r => r.AddReplica("Host=a", weight: -0.5), "weight", "-0.5"),
        ["weight that is no number"] = (r => r.AddReplica("Host=a", weight: double.NaN), "weight", "NaN"),
        ["infinite weight"] = (r => r.AddReplica("Host=a", weight: double.PositiveInfinity), "weight", "∞"),
        ["data source with a weight of zero"] = (r => r.AddReplica(_dataSource, weight: 0), "weight", "0"),
        ["staleness of zero"] = (r => r.MaxStaleness(TimeSpan.Zero), "limit", "00:00:00"),
        ["negative staleness"] = (r => r.MaxStaleness(-1.Seconds()), "limit", "-00:00:01"),
        ["interval of zero"] = (r => r.ProbeInterval(TimeSpan.Zero), "interval", "00:00:00"),
        ["interval below the least"] = (r => r.ProbeInterval(9.Milliseconds()), "interval", "00:00:00.0090000"),
        ["probe time-out of zero"] = (r => r.ProbeTimeout(TimeSpan.Zero), "timeout", "00:00:00"),
        ["negative probe time-out"] = (r => r.ProbeTimeout(-1.Seconds()), "timeout", "-00:00:01"),
        ["connect time-out of zero"] = (r => r.ConnectTimeout(TimeSpan.Zero), "timeout", "00:00:00"),
        ["connect time-out below a second"] = (r => r.ConnectTimeout(999.Milliseconds()), "timeout", "00:00:00.9990000"),
        ["connect time-out with a fraction"] = (r => r.ConnectTimeout(1.5.Seconds()), "timeout", "00:00:01.5000000"),
        ["read time-out of zero"] = (r => r.ReadTimeout(TimeSpan.Zero), "timeout", "00:00:00"),
        ["negative read time-out"] = (r => r.ReadTimeout(-1.Seconds()), "timeout", "-00:00:01"),
        ["read time-out with a fraction"] = (r => r.ReadTimeout(2.001.Seconds()), "timeout", "00:00:02.0010000"),
        ["no connections"] = (r => r.MaxConnections(0), "connections", "0"),
        ["negative connections"] = (r => r.MaxConnections(-5), "connections", "-5"),
        ["negative budget"] = (r => r.FallbackBudget(-1), "readsPerSecond", "-1"),
        ["negative ramp-up"] = (r => r.RampUp(-1.Seconds()), "time", "-00:00:01"),
        ["unknown balancing"] = (r => r.Balancing((LoadBalancing)99), "balancing", "99"),
        ["unknown tracked reads"] = (r => r.TrackedReads((TrackedReads)99), "trackedReads", "99"),
    };

    private static readonly Dictionary<string, (Action<ReplicaOptionsBuilder> Call, string Argument)> _missingValues = new()
    {
        ["no connection string"] = (r => r.AddReplica((string)null!), "connectionString"),
        ["empty connection string"] = (r => r.AddReplica(string.Empty), "connectionString"),
        ["blank connection string"] = (r => r.AddReplica("  "), "connectionString"),
        ["no data source"] = (r => r.AddReplica((NpgsqlDataSource)null!), "dataSource"),
        ["no region"] = (r => r.PreferRegion(null!), "region"),
        ["blank region"] = (r => r.PreferRegion(" "), "region"),
    };

    public static TheoryData<string> BadValues => [.. _badValues.Keys];

    public static TheoryData<string> MissingValues => [.. _missingValues.Keys];

    [Theory]
    [MemberData(nameof(BadValues))]
    public void Refuses_a_bad_value_and_names_argument_and_value(string badValue)
    {
        var (call, argument, value) = _badValues[badValue];

        var exception = Assert.Throws<ArgumentOutOfRangeException>(() => call(new ReplicaOptionsBuilder()));

        Assert.Equal(argument, exception.ParamName);
        Assert.Contains(value, FormattableString.Invariant($"{exception.ActualValue}").Replace("Infinity", "∞", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(MissingValues))]
    public void Refuses_a_missing_value_and_names_the_argument(string missingValue)
    {
        var (call, argument) = _missingValues[missingValue];

        Assert.Equal(argument, Assert.ThrowsAny<ArgumentException>(() => call(new ReplicaOptionsBuilder())).ParamName);
    }

    [Fact]
    public void A_refused_value_changes_nothing()
    {
        var builder = new ReplicaOptionsBuilder().MaxStaleness(3.Seconds());

        Assert.Throws<ArgumentOutOfRangeException>(() => builder.MaxStaleness(TimeSpan.Zero));

        Assert.Equal(3.Seconds(), builder.Options.MaxStaleness);
    }

    [Fact]
    public void Each_call_sets_its_setting_and_keeps_the_others()
    {
        var options = new ReplicaOptionsBuilder()
            .AddReplica("Host=a", "eu", 2)
            .AddReplica(_dataSource, "us", 0.5)
            .MaxStaleness(3.Seconds())
            .PreferRegion("eu")
            .ClusterName("feed")
            .Balancing(LoadBalancing.RoundRobin)
            .TrackedReads(TrackedReads.Primary)
            .ProbeInterval(10.Milliseconds())
            .ProbeTimeout(300.Milliseconds())
            .ConnectTimeout(1.Seconds())
            .ReadTimeout(7.Seconds())
            .MaxConnections(1)
            .FallbackBudget(0)
            .RampUp(TimeSpan.Zero)
            .Options;

        Assert.Equal(
            new ReplicaOptions
            {
                Replicas = [new ReplicaDefinition("Host=a", null, "eu", 2), new ReplicaDefinition(null, _dataSource, "us", 0.5)],
                MaxStaleness = 3.Seconds(),
                PreferredRegion = "eu",
                ClusterName = "feed",
                Balancing = LoadBalancing.RoundRobin,
                TrackedReads = TrackedReads.Primary,
                ProbeInterval = 10.Milliseconds(),
                ProbeTimeout = 300.Milliseconds(),
                ConnectTimeout = 1.Seconds(),
                ReadTimeout = 7.Seconds(),
                MaxConnections = 1,
                FallbackReadsPerSecond = 0,
                RampUp = TimeSpan.Zero,
            },
            options);
    }

    [Fact]
    public void Unlimited_fallback_is_a_budget_without_limit() =>
        Assert.Equal(ReplicaOptions.UnlimitedFallback, new ReplicaOptionsBuilder().UnlimitedFallback().Options.FallbackReadsPerSecond);
}
