using System.Collections.Immutable;
using System.Reflection;
using EfScaling.Replication;
using Npgsql;

namespace EfScaling.Tests.Replication;

public sealed class ReplicaOptionsTests
{
    public static TheoryData<string> Settings => [.. typeof(ReplicaOptions).GetProperties(BindingFlags.Public | BindingFlags.Instance).Select(p => p.Name)];

    public static TheoryData<string> ReplicaSettings => [.. typeof(ReplicaDefinition).GetProperties(BindingFlags.Public | BindingFlags.Instance).Select(p => p.Name)];

    [Fact]
    public void Defaults_are_the_documented_ones()
    {
        var options = new ReplicaOptions();

        Assert.Empty(options.Replicas);
        Assert.Equal(5.Seconds(), options.MaxStaleness);
        Assert.Null(options.PreferredRegion);
        Assert.Equal(LoadBalancing.LeastLoaded, options.Balancing);
        Assert.Equal(TrackedReads.ReplicaWhenProtected, options.TrackedReads);
        Assert.Equal(250.Milliseconds(), options.ProbeInterval);
        Assert.Equal(1.Seconds(), options.ProbeTimeout);
        Assert.Equal(2.Seconds(), options.ConnectTimeout);
        Assert.Null(options.ReadTimeout);
        Assert.Equal(50, options.MaxConnections);
        Assert.Equal(1_000, options.FallbackReadsPerSecond);
        Assert.Equal(5.Seconds(), options.RampUp);
    }

    [Theory]
    [MemberData(nameof(Settings))]
    public void Every_setting_takes_part_in_equality(string setting)
    {
        var property = typeof(ReplicaOptions).GetProperty(setting)!;
        var options = new ReplicaOptions();
        var same = options with { };
        var changed = options with { };
        property.SetValue(changed, Another(property.PropertyType, property.GetValue(options)));

        Assert.Equal(options, same);
        Assert.Equal(options.GetHashCode(), same.GetHashCode());
        Assert.NotEqual(options, changed);
        Assert.NotEqual(changed, options);
    }

    [Theory]
    [MemberData(nameof(ReplicaSettings))]
    public void Every_setting_of_a_replica_takes_part_in_equality(string setting)
    {
        var property = typeof(ReplicaDefinition).GetProperty(setting)!;
        var replica = new ReplicaDefinition("Host=a", null, "eu", 1);
        var changed = replica with { };
        property.SetValue(changed, Another(property.PropertyType, property.GetValue(replica)));

        Assert.NotEqual(new ReplicaOptions { Replicas = [replica] }, new ReplicaOptions { Replicas = [changed] });
    }

    [Fact]
    public void Options_with_equal_replicas_are_equal()
    {
        var left = new ReplicaOptionsBuilder().AddReplica("Host=a").AddReplica("Host=b", "eu", 2).Options;
        var right = new ReplicaOptionsBuilder().AddReplica("Host=a").AddReplica("Host=b", "eu", 2).Options;

        Assert.Equal(left, right);
        Assert.Equal(left.GetHashCode(), right.GetHashCode());
    }

    [Fact]
    public void The_order_of_replicas_counts() =>
        Assert.NotEqual(
            new ReplicaOptionsBuilder().AddReplica("Host=a").AddReplica("Host=b").Options,
            new ReplicaOptionsBuilder().AddReplica("Host=b").AddReplica("Host=a").Options);

    private static object Another(Type type, object? value) => value switch
    {
        bool flag => !flag,
        TimeSpan time => time + 1.Seconds(),
        int number => number + 1,
        double number => number + 1,
        string text => text + "x",
        ImmutableArray<ReplicaDefinition> => ImmutableArray.Create(new ReplicaDefinition("Host=a", null, null, 1)),
        Enum => Enum.GetValues(type).Cast<object>().First(v => !v.Equals(value)),
        null when type == typeof(string) => "x",
        null when type == typeof(TimeSpan?) => 1.Seconds(),
        null when type == typeof(NpgsqlDataSource) => NpgsqlDataSource.Create("Host=a"),
        _ => throw new InvalidOperationException($"Say here how a setting of type '{type.Name}' is changed."),
    };
}
