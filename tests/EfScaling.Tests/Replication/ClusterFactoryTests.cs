// The options of the provider are only reachable through its internal extension (npgsql/efcore.pg#3063).
#pragma warning disable EF1001

using EfScaling.Replication;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure;
using Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure.Internal;

namespace EfScaling.Tests.Replication;

public sealed class ClusterFactoryTests
{
    private const string Primary = "Host=a;Username=app;Password=hidden1";
    private const string Replica = "Host=b;Username=app;Password=hidden2";

    private static readonly Dictionary<string, (Func<Cluster> Call, string[] Words)> _refusals = new()
    {
        ["a replica given twice"] = (() => Create(Primary, r => r.AddReplica(Replica).AddReplica(Replica)), ["'b:5432'", "twice", "AddReplica"]),
        ["a replica given twice in other words"] = (() => Create(Primary, r => r.AddReplica(Replica).AddReplica("Host=B;Port=5432;Username=other")), ["'b:5432'", "twice"]),
        ["a replica given as string and as data source"] = (() => Create(Primary, r => r.AddReplica(Replica).AddReplica(Source(Replica))), ["'b:5432'", "twice"]),
        ["a replica that is the primary"] = (() => Create(Primary, r => r.AddReplica("Host=A;Password=hidden3")), ["'a:5432'", "UseNpgsql", "Remove that AddReplica call"]),
        ["a host given twice"] = (() => Create("Host=a,b,a;Password=hidden1", _ => { }), ["'a:5432'", "twice"]),
        ["no replica over a single host"] = (() => Create(Primary, _ => { }), ["single host", "AddReplica", "Host=a,b,c"]),
        ["no replica over a data source"] = (() => Create(o => o.UseNpgsql(Source(Primary)), _ => { }), ["single host", "AddReplica"]),
        ["no replica over a data source of several hosts"] = (() => Create(o => o.UseNpgsql(MultiHost()), _ => { }), ["data source", "AddReplica(dataSource)"]),
        ["a data source of several hosts as the primary"] = (() => Create(o => o.UseNpgsql(MultiHost()), r => r.AddReplica(Source("Host=d"))), ["2 hosts", "'a:5432, c:5432'", "one data source for each server"]),
        ["a data source of several hosts as a replica"] = (() => Create(Primary, r => r.AddReplica(MultiHost())), ["2 hosts", "'a:5432, c:5432'"]),
        ["a replica by string beside a data source"] = (() => Create(o => o.UseNpgsql(Source(Primary)), r => r.AddReplica(Replica)), ["data source", "AddReplica(dataSource)"]),
        ["a replica of two hosts"] = (() => Create(Primary, r => r.AddReplica("Host=b,c:5433;Password=hidden2")), ["2 hosts", "'b:5432, c:5433'", "AddReplica once for each"]),
        ["a replica string that cannot be read"] = (() => Create(Primary, r => r.AddReplica("Host=b;Password=hidden2;Nonsense=hidden3")), ["cannot be read", "AddReplica"]),
        ["a limit below two probes"] = (() => Create(Primary, r => r.AddReplica(Replica).MaxStaleness(499.Milliseconds())), ["MaxStaleness '00:00:00.4990000'", "ProbeInterval '00:00:00.2500000'", "twice"]),
        ["no connection at all"] = (() => Create(o => o.UseNpgsql(), r => r.AddReplica(Replica)), ["UseNpgsql", "connection string"]),
        ["more nodes than there are bits"] = (() => Create(Primary, r => Enumerable.Range(0, 64).ToList().ForEach(n => r.AddReplica($"Host=n{n}"))), ["65 nodes", "64"]),
        ["a host set for all nodes alike"] = (
            () => Create(o => o.UseNpgsql(Primary, n => n.ConfigureDataSource(b => b.ConnectionStringBuilder.Host = "z")), r => r.AddReplica(Replica)),
            ["ConfigureDataSource", "'z:5432'", "AddReplica"]),
    };

    public static TheoryData<string> Refusals => [.. _refusals.Keys];

    [Theory]
    [MemberData(nameof(Refusals))]
    public void Refuses_what_cannot_work_and_says_what_to_call(string mistake)
    {
        var (call, words) = _refusals[mistake];

        var exception = Assert.Throws<InvalidOperationException>(call);

        Assert.All(words, word => Assert.Contains(word, exception.Message, StringComparison.Ordinal));
        Assert.All(["hidden", "Password", "Username"], secret => Assert.DoesNotContain(secret, exception.ToString(), StringComparison.Ordinal));
    }

    [Fact]
    public void The_first_node_is_the_one_the_context_writes_to()
    {
        var cluster = Create(Primary, r => r.AddReplica(Replica, "eu", 2).AddReplica("Host=c;Port=5433"));

        Assert.Equal(["a:5432", "b:5432", "c:5433"], cluster.Nodes.Select(n => n.Name));
        Assert.Equal([0, 1, 2], cluster.Nodes.Select(n => n.Ordinal));
        Assert.Equal([(null, 1), ("eu", 2), (null, 1)], cluster.Nodes.Select(n => (n.Traits.Region, n.Traits.Weight)));
        Assert.Equal("a:5432", cluster.WriterName);
        Assert.Null(cluster.PrimarySource);
    }

    [Fact]
    public void The_hosts_of_one_string_are_the_nodes_and_the_primary_is_found_among_them()
    {
        var cluster = Create("Host=a,b:5433,c;Username=app;Target Session Attributes=primary;Load Balance Hosts=true", _ => { });

        Assert.Equal(["a:5432", "b:5433", "c:5432"], cluster.Nodes.Select(n => n.Name));
        Assert.NotNull(cluster.PrimarySource);
        Assert.Equal("primary", cluster.WriterName);
    }

    [Fact]
    public void Reads_use_read_only_sessions_outside_ambient_transactions()
    {
        var cluster = Create(Primary, r => r.AddReplica("Host=b;Options=-c statement_timeout=1s;Enlist=true").ConnectTimeout(7.Seconds()).ProbeTimeout(1.5.Seconds()));
        var reads = new NpgsqlConnectionStringBuilder(cluster.Nodes[1].DataSource.ConnectionString);
        var probes = new NpgsqlConnectionStringBuilder(cluster.Nodes[1].ProbeSource.ConnectionString);

        Assert.Equal(@"-c statement_timeout=1s -c default_transaction_read_only=on -c default_transaction_isolation=read\ committed", reads.Options);
        Assert.False(reads.Enlist);
        Assert.Equal(7, reads.Timeout);
        Assert.Equal((5, 1_000, 0, true), (probes.Timeout, probes.MaxPoolSize, probes.MinPoolSize, probes.TcpKeepAlive));
        Assert.True(cluster.Nodes[1].Traits.SessionsAreReadOnly);
    }

    [Fact]
    public void The_pool_size_in_a_string_wins_over_the_setting()
    {
        var node = Create(Primary, r => r.AddReplica("Host=b;Maximum Pool Size=7;Minimum Pool Size=9").MaxConnections(20)).Nodes[1];
        var reads = new NpgsqlConnectionStringBuilder(node.DataSource.ConnectionString);

        Assert.Equal(7, node.Traits.MaxConnections);
        Assert.Equal((7, 7), (reads.MaxPoolSize, reads.MinPoolSize));
    }

    [Fact]
    public void The_setting_bounds_the_connections_to_a_replica_whose_string_says_nothing()
    {
        var node = Create(Primary, r => r.AddReplica(Replica).MaxConnections(20)).Nodes[1];

        Assert.Equal(20, node.Traits.MaxConnections);
        Assert.Equal(20, new NpgsqlConnectionStringBuilder(node.DataSource.ConnectionString).MaxPoolSize);
    }

    [Theory]
    [InlineData("Host=b", false)]
    [InlineData("Host=b;Options=-c default_transaction_read_only=on", true)]
    public void A_data_source_of_the_application_is_used_as_it_is(string connectionString, bool isReadOnly)
    {
        var source = Source(connectionString + ";Maximum Pool Size=3");

        var node = Create(Primary, r => r.AddReplica(source, "eu", 3)).Nodes[1];

        Assert.Same(source, node.DataSource);

        // The third connection is the monitor's.
        Assert.Equal(new NodeTraits("eu", 3, 2, isReadOnly), node.Traits);
    }

    [Fact]
    public void Replicas_by_data_source_serve_beside_a_primary_by_data_source()
    {
        var cluster = Create(o => o.UseNpgsql(Source(Primary)), r => r.AddReplica(Source("Host=b")));

        Assert.Equal(["a:5432", "b:5432"], cluster.Nodes.Select(n => n.Name));
    }

    [Fact]
    public void Every_node_has_the_provider_configuration_of_the_context()
    {
        var cluster = Create(
            o => o.UseNpgsql(Primary, n => n.ConfigureDataSource(b => b.ConnectionStringBuilder.ApplicationName = "shop")),
            r => r.AddReplica(Replica));

        Assert.All(cluster.Nodes, n => Assert.Equal("shop", new NpgsqlConnectionStringBuilder(n.DataSource.ConnectionString).ApplicationName));
    }

    private static Cluster Create(string primary, Action<ReplicaOptionsBuilder> configure) => Create(o => o.UseNpgsql(primary), configure);

    private static Cluster Create(Action<DbContextOptionsBuilder> useNpgsql, Action<ReplicaOptionsBuilder> configure)
    {
        var options = new DbContextOptionsBuilder();
        useNpgsql(options);
        var builder = new ReplicaOptionsBuilder();
        configure(builder);
        var plugins = Array.Empty<INpgsqlDataSourceConfigurationPlugin>();
        return new ClusterFactory(new NodeDataSources(plugins), new ManualClock())
            .Create(options.Options.FindExtension<NpgsqlOptionsExtension>()!, builder.Options, string.Empty, application: null, NullLoggerFactory.Instance);
    }

    private static NpgsqlDataSource Source(string connectionString) => NpgsqlDataSource.Create(connectionString);

    private static NpgsqlMultiHostDataSource MultiHost() => new NpgsqlDataSourceBuilder("Host=a,c;Password=hidden1").BuildMultiHost();
}
