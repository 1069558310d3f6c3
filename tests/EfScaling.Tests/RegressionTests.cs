using EfScaling.Consistency;
using EfScaling.Replication;
using EfScaling.Routing;
using EfScaling.Tests.Models;
using EfScaling.Tests.Replication;
using EfScaling.Tests.Routing;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Tests;

public sealed class RegressionTests
{
    [Fact]
    public void A_node_that_joins_stale_serves_as_soon_as_it_is_fresh()
    {
        var cluster = new ScriptedCluster();
        cluster.AnswerAsPrimary(0, 100);
        cluster.AnswerAsReplica(1, 90); // a few bytes behind: nothing proven yet
        Assert.Equal(Moment.Never, cluster.State(1).ServingSince);
        cluster.Clock.Advance(250.Milliseconds());
        cluster.AnswerAsPrimary(0, 110);
        cluster.AnswerAsReplica(1, 105);
        Assert.False(cluster.State(1).IsRecovering);
        Assert.Equal(Freshness.Fresh, cluster.Judge(1));
    }

    [Fact]
    public void A_clock_holds_positions_of_one_history_only()
    {
        var c = new ScriptedCluster(4, firstNodeIsReference: false);
        c.AnswerAsPrimary(0, 100, timeline: 1);
        c.AnswerAsReplica(3, 100, timeline: 1);
        c.Clock.Advance(1.Seconds());
        c.AnswerAsPrimary(1, 1_000, timeline: 2);
        c.Clock.Advance(1.Seconds());
        c.AnswerAsReplica(1, 1_000, timeline: 2); // 1 is demoted, follows 2 that is not yet probed
        c.AnswerAsPrimary(0, 5_000, timeline: 1);  // zombie
        c.AnswerAsReplica(3, 2_000, timeline: 1);
        Assert.Equal(Moment.Never, c.State(3).VisibleThrough);
    }

    [Fact]
    public void Nodes_elsewhere_serve_while_the_near_one_is_tried()
    {
        var clock = new ManualClock();
        var options = new ReplicaOptions { PreferredRegion = "eu" };
        var sample = new NodeSample(NodeRole.Replica, new ServerIdentity(1, 1), new WalPosition(1), clock.Now, clock.Now);
        NodeState State(int o, string region) => new(ScriptedCluster.NodeAt(o, region)) { Sample = sample, VisibleThrough = clock.Now };
        var primary = new NodeState(ScriptedCluster.NodeAt(0)) { Sample = sample with { Role = NodeRole.Primary } };
        var near = State(1, "eu") with { Ban = new NodeBan(1, clock.Now) };
        near.Node.TryTakeTrial();
        var choice = new ReplicaSelector(options, new FreshnessGate(options, clock), clock, new Random(1))
            .Choose(new ClusterSnapshot([primary, near, State(2, "us")], primary), new ReadRequest(5.Seconds(), Moment.Never, -1, Moment.Never, 0), clock.Now);
        Assert.Equal(2, choice.Node?.Ordinal);
    }

    [Fact]
    public void A_read_that_read_the_clock_earlier_costs_nothing()
    {
        var clock = new ManualClock();
        var budget = new FallbackBudget(10, clock);
        var early = clock.Now;
        var late = clock.Advance(1.Seconds());
        Assert.True(budget.TryTake(late, TimeSpan.Zero, out _));
        Assert.True(budget.TryTake(early, TimeSpan.Zero, out _));
        Assert.True(budget.TryTake(late, TimeSpan.Zero, out _));
    }

    [Theory]
    [InlineData("connect")]
    [InlineData("probe")]
    [InlineData("interval")]
    [InlineData("probeInfinite")]
    public void Too_long_times_are_refused_where_they_are_set(string what) => Assert.Throws<ArgumentOutOfRangeException>(() =>
    {
        var b = new ReplicaOptionsBuilder();
        _ = what switch { "connect" => b.ConnectTimeout(2_000.Seconds()), "probe" => b.ProbeTimeout(2_000.Seconds()), "interval" => b.ProbeInterval(TimeSpan.MaxValue), _ => b.ProbeTimeout(TimeSpan.MaxValue) };
    });

    [Theory]
    [InlineData("Host=/tmp/PG")]
    [InlineData("Host=DB.Example.com")]
    [InlineData("Host=db:5433")]
    [InlineData("Host=db;Port=5433")]
    public void Connection_string_with_other_spelling_is_still_the_contexts_own(string s)
    {
        using var c = new ShopContext(new DbContextOptionsBuilder().UseNpgsql(s).UseReadReplicas(r => r.AddReplica("Host=r")).Options);
        Assert.StartsWith("replica if", c.Orders.ToRoutingString(), StringComparison.Ordinal);
    }

    [Fact]
    public void AsReplica_does_not_lift_the_rule_for_tracked_reads()
    {
        using var c = ShopContext.Create(r => r.TrackedReads(TrackedReads.Primary));
        Assert.NotEqual(Reasons.MayLeave, Reasons.Of(c.Orders.FromSql($"SELECT * FROM \"Orders\"").AsReplica()));
    }

    [Fact]
    public void AsReplica_does_not_lift_the_protection_of_tracked_hierarchies()
    {
        using var c = ShopContext.Create();
        Assert.NotEqual(Reasons.MayLeave, Reasons.Of(c.Payments.Where(o => ShopContext.Score(o.Id) > 1).AsReplica()));
    }

    [Fact]
    public void FromSql_asks_the_applications_SQL_for_no_xmin()
    {
        using var c = ShopContext.Create();
        var sql = c.Orders.FromSql($"SELECT * FROM \"Orders\"").Where(o => o.Id > 1).ToQueryString();
        Assert.DoesNotContain(".xmin", sql, StringComparison.Ordinal);
    }

    [Fact]
    public void Entities_written_by_stored_procedures_get_no_token()
    {
        using var c = ModelContext.Create(m => m.Entity<Animal>().UpdateUsingStoredProcedure("u", p => p.HasOriginalValueParameter(a => a.Id).HasParameter(a => a.Name)));
        Assert.NotNull(c.Model);
    }

    [Fact]
    public void Entities_read_from_a_view_get_no_token()
    {
        using var c = ModelContext.Create(m => m.Entity<Animal>().ToTable("animals").ToView("v_animals"));
        Assert.DoesNotContain("xmin", c.Set<Animal>().ToQueryString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Entities_read_from_a_query_get_no_token()
    {
        using var c = ModelContext.Create(m => m.Entity<Animal>().ToTable("animals").ToSqlQuery("select 1"));
        Assert.DoesNotContain("xmin", c.Set<Animal>().ToQueryString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Entities_read_from_a_function_get_no_token()
    {
        using var c = ModelContext.Create(m => m.Entity<Animal>().ToTable("animals").ToFunction("f_animals"));
        Assert.DoesNotContain("xmin", c.Set<Animal>().ToQueryString(), StringComparison.Ordinal);
    }

    public static int F(int a) => 0;

    public static int F(string a) => 0;

    [Fact]
    public void One_stable_overload_does_not_vouch_for_the_others()
    {
        using var c = ModelContext.Create(m =>
        {
            m.Entity<Animal>();
            m.HasDbFunction(typeof(RegressionTests).GetMethod("F", [typeof(int)])!).HasName("f").IsStable();
            m.HasDbFunction(typeof(RegressionTests).GetMethod("F", [typeof(string)])!).HasName("f");
        });
        Assert.Equal("UnknownFunction", Reasons.Of(c.Set<Animal>().Where(a => F(a.Name!) > 1)));
    }

    [Theory]
    [InlineData("EfScaling: my feature")]
    [InlineData("EfScaling.Plan of ours")]
    [InlineData("EfScaling:MaxStaleness=x")]
    public void Tags_of_the_application_stay_in_the_SQL(string tag)
    {
        using var c = ShopContext.Create();
        Assert.Contains(tag, c.Orders.TagWith(tag).ToQueryString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Tag_of_the_application_is_never_taken_for_a_plan()
    {
        using var c = ShopContext.Create();
        Assert.Equal("TrackedWithoutToken", Reasons.Of(c.Payments.TagWith("EfScaling.Plan -1 0 -1")));
    }

    [Fact]
    public void Node_that_recovers_serves_reads_that_take_older_data()
    {
        var cluster = new ScriptedCluster();
        cluster.AnswerAsPrimary(0, 100);
        cluster.AnswerAsReplica(1, 100);
        for (var i = 1UL; i < 40; i++)
        {
            cluster.Clock.Advance(250.Milliseconds());
            cluster.AnswerAsPrimary(0, 100 + i);
            cluster.AnswerAsReplica(1, 100);
        }

        var f = cluster.Gate.Judge(cluster.State(1), cluster.Picture.Current.Primary, new ReadRequest(60.Seconds(), Moment.Never, -1, Moment.Never, 0), cluster.Clock.Now);
        Assert.Equal(Freshness.Fresh, f);
    }

    [Fact]
    public void No_secret_in_text_of_settings() =>
        Assert.DoesNotContain("secret", new ReplicaDefinition("Host=a;Password=secret", null, null, 1).ToString(), StringComparison.Ordinal);

    [Fact]
    public void Any_age_is_not_rounded()
    {
        using var c = ShopContext.Create();
        Assert.Equal(TimeSpan.MaxValue, QueryHints.TakeFrom(new HashSet<string> { QueryHints.StalenessTag(TimeSpan.MaxValue) }).MaxStaleness);
    }

    internal class A
    {
        public int Id { get; set; }
    }

    internal class B : A
    {
        public int X { get; set; }
    }

    internal sealed class C : B
    {
        public int Y { get; set; }
    }

    [Fact]
    public void IsPrimaryOnly_in_the_middle_of_a_hierarchy_holds_below()
    {
        using var c = ModelContext.Create(m =>
        {
            m.Entity<A>().UseTpcMappingStrategy();
            m.Entity<B>().IsPrimaryOnly();
            m.Entity<C>();
        });
        Assert.Equal("PrimaryOnlyTable", Reasons.Of(c.Set<C>()));
    }

    [Fact]
    public void Limit_that_is_only_known_at_execution_is_refused_inside_a_lambda()
    {
        using var c = ShopContext.Create();
        var limit = 1.Seconds();
        var refusal = Assert.Throws<InvalidOperationException>(() => Reasons.Of(c.Customers.Where(x => x.Orders.AsQueryable().WithMaxStaleness(limit).Any())));
        Assert.Contains("UseMaxStaleness", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Constant_limit_holds_inside_a_lambda()
    {
        using var c = ShopContext.Create();
        Assert.Equal(Reasons.MayLeave, Reasons.Of(c.Customers.Where(x => x.Orders.AsQueryable().WithMaxStaleness(TimeSpan.FromSeconds(1)).Any())));
    }

    [Theory]
    [InlineData(nameof(TrackedReads.Primary))]
    [InlineData(nameof(TrackedReads.ReplicaWhenProtected))]
    public void Functions_that_return_entities_are_asked_for_no_xmin(string t)
    {
        using var c = new TvfContext(new DbContextOptionsBuilder().UseNpgsql(ShopContext.Primary).UseReadReplicas(r => r.AddReplica(ShopContext.Replica).TrackedReads(Enum.Parse<TrackedReads>(t))).Options);
        Assert.DoesNotContain(".xmin", c.Of(1).Where(a => a.Id > 1).ToQueryString(), StringComparison.Ordinal);
    }

    internal sealed class TvfContext(DbContextOptions o) : DbContext(o)
    {
        public IQueryable<Animal> Of(int id) => FromExpression(() => Of(id));

        protected override void OnModelCreating(ModelBuilder modelBuilder)
        {
            modelBuilder.Entity<Animal>();
            modelBuilder.HasDbFunction(() => Of(default));
        }
    }

    [Fact]
    public void Weights_hold_before_the_first_answers()
    {
        var clock = new ManualClock();
        var options = new ReplicaOptions();
        var sample = new NodeSample(NodeRole.Replica, new ServerIdentity(1, 1), new WalPosition(1), clock.Now, clock.Now);
        NodeState State(int o) => new(ScriptedCluster.NodeAt(o, weight: o, maxConnections: 10_000)) { Sample = sample, VisibleThrough = clock.Now };
        var primary = new NodeState(ScriptedCluster.NodeAt(0)) { Sample = sample with { Role = NodeRole.Primary } };
        NodeState[] s = [primary, State(1), State(2)];
        var selector = new ReplicaSelector(options, new FreshnessGate(options, clock), clock, new Random(1));
        for (var i = 0; i < 3000; i++)
        {
            selector.Choose(new ClusterSnapshot(s, primary), new ReadRequest(5.Seconds(), Moment.Never, -1, Moment.Never, 0), clock.Now).Node!.Enter();
        }

        Assert.InRange(s[2].Node.InFlight, 1900, 2100);
    }
}
