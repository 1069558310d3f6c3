using System.Collections.Concurrent;
using System.Data.Common;
using System.Diagnostics.Metrics;
using EfScaling.Diagnostics;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Testing;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql;

namespace EfScaling.IntegrationTests.Routing;

/// <summary>What an application can see of the router: decisions, metrics, events, and its own interceptors; never a secret.</summary>
public sealed class EvidenceTests(ClusterFixture fixture)
{
    [Fact]
    public async Task Every_decision_is_counted_with_node_role_and_reason()
    {
        var blogs = await RoutedBlogs.StartAsync(fixture.Cluster);
        var counted = new ConcurrentBag<string>();
        var stalenessRecorded = 0;
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Meter.Name == "EfScaling")
                {
                    self.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, _, tags, _) =>
        {
            if (instrument.Name == "efscaling.replication.commands")
            {
                counted.Add(string.Join(' ', tags.ToArray().Select(t => $"{t.Key}={t.Value}")));
            }
        });
        listener.SetMeasurementEventCallback<double>((instrument, value, _, _) =>
        {
            if (instrument.Name == "efscaling.replication.read.staleness" && value is >= 0 and < 5)
            {
                Interlocked.Increment(ref stalenessRecorded);
            }
        });
        listener.Start();

        await using var context = blogs.Context();
        await context.Blogs.CountAsync();
        var replica = context.Database.LastRouting()!.Value.Node;
        await context.Blogs.AsPrimary().CountAsync();

        Assert.Contains($"node={replica} role=Replica reason=FreshReplica", counted);
        Assert.Contains($"node=127.0.0.1:{fixture.Cluster.Primary.Port} role=Primary reason=PrimaryRequested", counted);
        Assert.True(stalenessRecorded > 0);
    }

    [Fact]
    public async Task Events_name_nodes_and_reasons_and_no_secret()
    {
        var log = new EventLog();
        var blogs = await RoutedBlogs.StartAsync(fixture.Cluster, also: o => o.UseLoggerFactory(log));
        await using var context = blogs.Context();
        await context.Blogs.CountAsync();

        Assert.Contains(log.Events, e => e.Id == EfScalingEventId.MonitorStarted);
        await Eventually.ThatAsync(
            () => log.Events.Any(e => e.Id == EfScalingEventId.NodeServes && e.Message.Contains($":{fixture.Cluster.Standbys[0].Port}", StringComparison.Ordinal)),
            TimeSpan.FromSeconds(10),
            "the replica is announced");
        Assert.Contains(log.Events, e => e.Id == EfScalingEventId.CommandRouted && e.Message.Contains("FreshReplica", StringComparison.Ordinal));
        var password = new NpgsqlConnectionStringBuilder(fixture.Cluster.Primary.ConnectionString).Password!;
        Assert.DoesNotContain(log.Events, e => e.Message.Contains(password, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Connection_interceptor_of_the_application_sees_connections_to_replicas()
    {
        var opened = new OpenedPorts();
        var blogs = await RoutedBlogs.StartAsync(fixture.Cluster, also: o => o.AddInterceptors(opened));
        await using var context = blogs.Context();
        opened.Ports.Clear();

        await context.Blogs.CountAsync();
        Assert.Contains(opened.Ports.Single(), fixture.Cluster.Standbys.Select(s => s.Port));
        await context.Blogs.AsPrimary().CountAsync();
        Assert.Equal(fixture.Cluster.Primary.Port, opened.Ports.Last());
    }

    [Fact]
    public async Task Decision_and_routing_string_are_readable()
    {
        var blogs = await RoutedBlogs.StartAsync(fixture.Cluster);
        await using var context = blogs.Context();
        await context.Blogs.CountAsync();

        var decision = context.Database.LastRouting()!.Value;

        Assert.Equal(NodeRole.Replica, decision.Role);
        Assert.InRange(decision.StalenessBound, TimeSpan.Zero, TimeSpan.FromSeconds(5));
        Assert.Matches(@"^replica 127\.0\.0\.1:\d+: FreshReplica, at most \d\.\d{3} s old$", decision.ToString());
    }

    private sealed class OpenedPorts : DbConnectionInterceptor
    {
        public ConcurrentQueue<int> Ports { get; } = new();

        public override Task ConnectionOpenedAsync(DbConnection connection, ConnectionEndEventData eventData, CancellationToken cancellationToken = default)
        {
            Ports.Enqueue(new NpgsqlConnectionStringBuilder(connection.ConnectionString).Port);
            return Task.CompletedTask;
        }
    }
}
