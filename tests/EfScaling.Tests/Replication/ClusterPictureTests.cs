using EfScaling.Consistency;
using EfScaling.Replication;
using EfScaling.Topology;

namespace EfScaling.Tests.Replication;

public sealed class ClusterPictureTests
{
    private static readonly TimeSpan _interval = 250.Milliseconds();

    [Fact]
    public void Knows_nothing_before_the_first_answer()
    {
        var cluster = new ScriptedCluster();

        Assert.Null(cluster.Picture.Current.Primary);
        Assert.All([0, 1, 2], o => Assert.Equal(Freshness.NeverMeasured, cluster.Standing(o)));
    }

    [Fact]
    public void A_replica_that_has_replayed_what_the_primary_answered_shows_everything_until_then()
    {
        var cluster = new ScriptedCluster();
        cluster.AnswerAsPrimary(0, 100);
        var sentAt = cluster.Clock.Now;
        cluster.Clock.Advance(10.Milliseconds());

        var after = cluster.AnswerAsReplica(1, 100);

        Assert.Equal(sentAt, after.VisibleThrough);
        Assert.Equal(Freshness.Fresh, cluster.Standing(1));
    }

    [Fact]
    public void An_answer_of_the_primary_moves_what_every_replica_shows()
    {
        var cluster = new ScriptedCluster();
        cluster.AnswerAsPrimary(0, 100);
        cluster.AnswerAsReplica(1, 200);
        cluster.AnswerAsReplica(2, 100);
        var first = cluster.Clock.Now;
        var second = cluster.Clock.Advance(_interval);

        cluster.AnswerAsPrimary(0, 150);

        Assert.Equal(second, cluster.State(1).VisibleThrough);
        Assert.Equal(first, cluster.State(2).VisibleThrough);
    }

    [Fact]
    public void Nothing_is_fresh_while_the_primary_is_unknown()
    {
        var cluster = new ScriptedCluster();
        cluster.AnswerAsReplica(1, 100);

        Assert.Equal(Freshness.PrimaryUnknown, cluster.Standing(1));
    }

    [Fact]
    public void A_replica_grows_stale_when_the_primary_stops_answering()
    {
        var cluster = new ScriptedCluster();
        cluster.AnswerAsPrimary(0, 100);
        cluster.Picture.ReportUnreachable(cluster.Nodes[0], "Connection refused");
        cluster.AnswerAsReplica(1, 100);
        Assert.Equal(Freshness.Fresh, cluster.Judge(1));

        cluster.Clock.Advance(5.1.Seconds());
        cluster.AnswerAsReplica(1, 100);

        Assert.NotEqual(Freshness.Fresh, cluster.Judge(1));
    }

    [Fact]
    public void A_failed_probe_rules_a_node_out_until_the_next_answer()
    {
        var cluster = Serving();

        var before = cluster.Picture.ReportUnreachable(cluster.Nodes[1], "Connection refused");

        Assert.Null(before.ProbeError);
        Assert.Equal("Connection refused", cluster.State(1).ProbeError);
        Assert.Equal(Freshness.Unreachable, cluster.Standing(1));
        Assert.Equal(Freshness.Fresh, cluster.Standing(2));

        cluster.AnswerAsReplica(1, 100);
        Assert.Equal(Freshness.Fresh, cluster.Standing(1));
    }

    [Fact]
    public void A_node_that_was_too_stale_serves_again_after_three_good_probes()
    {
        var cluster = Serving();
        LetReplayPause(cluster, 5.25.Seconds());
        Assert.Equal(Freshness.TooStale, cluster.Judge(1));

        Assert.Equal(
            [Freshness.Recovering, Freshness.Recovering, Freshness.Fresh],
            Enumerable.Range(0, 3).Select(_ =>
            {
                cluster.Clock.Advance(_interval);
                cluster.AnswerAsPrimary(0, 1_000);
                cluster.AnswerAsReplica(1, 1_000);
                return cluster.Judge(1);
            }));
    }

    [Fact]
    public void A_node_at_the_limit_keeps_serving()
    {
        var cluster = Serving();
        LetReplayPause(cluster, 5.Seconds());

        Assert.Equal(Freshness.Fresh, cluster.Standing(1));
        Assert.False(cluster.State(1).IsRecovering);
    }

    [Theory]
    [InlineData(2_500, true)]
    [InlineData(2_501, false)]
    public void A_probe_is_good_when_it_finds_the_node_within_half_the_limit(int stalenessMilliseconds, bool recovers)
    {
        var cluster = Serving();
        LetReplayPause(cluster, 6.Seconds());
        cluster.AnswerAsPrimary(0, 2_000);
        cluster.Clock.Advance(stalenessMilliseconds.Milliseconds());
        for (var probe = 0; probe < 3; probe++)
        {
            cluster.AnswerAsReplica(1, 2_000);
        }

        Assert.Equal(recovers, !cluster.State(1).IsRecovering);
    }

    [Fact]
    public void A_probe_that_is_not_good_starts_the_count_anew()
    {
        var cluster = Serving();
        LetReplayPause(cluster, 6.Seconds());
        AnswerFresh(cluster, 2);
        cluster.Clock.Advance(3.Seconds());
        cluster.AnswerAsReplica(1, 1_000);
        Assert.Equal(0, cluster.State(1).GoodProbes);
        AnswerFresh(cluster, 2);
        Assert.True(cluster.State(1).IsRecovering);

        AnswerFresh(cluster, 1);
        Assert.False(cluster.State(1).IsRecovering);
    }

    [Fact]
    public void Answers_of_the_primary_do_not_count_as_probes_of_a_recovering_node()
    {
        var cluster = Serving();
        LetReplayPause(cluster, 6.Seconds());
        cluster.AnswerAsReplica(1, 10_000);
        for (var probe = 0; probe < 10; probe++)
        {
            cluster.AnswerAsPrimary(0, 1_000);
        }

        Assert.True(cluster.State(1).IsRecovering);
    }

    [Fact]
    public void A_node_of_another_cluster_is_refused()
    {
        var cluster = Serving();

        cluster.AnswerAsReplica(1, 100, systemId: 42);

        Assert.Equal(Freshness.WrongCluster, cluster.Standing(1));
        Assert.Equal(Freshness.Fresh, cluster.Standing(2));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_foreign_primary_in_the_list_of_replicas_never_becomes_the_reference(bool answersFirst)
    {
        var cluster = new ScriptedCluster();
        if (answersFirst)
        {
            cluster.AnswerAsPrimary(1, 9_000, timeline: 9, systemId: 42);
            cluster.AnswerAsReplica(2, 9_000, timeline: 9, systemId: 42);
            Assert.Null(cluster.Picture.Current.Primary);
            Assert.Equal(Freshness.PrimaryUnknown, cluster.Standing(2));
        }

        cluster.AnswerAsPrimary(0, 100);
        cluster.AnswerAsPrimary(1, 9_000, timeline: 9, systemId: 42);
        cluster.AnswerAsReplica(2, 100);

        Assert.Equal(0, cluster.Picture.Current.Primary!.Node.Ordinal);
        Assert.Equal(Freshness.NotAReplica, cluster.Standing(1));
        Assert.Equal(Freshness.Fresh, cluster.Judge(2));
    }

    [Fact]
    public void Among_hosts_of_one_string_the_first_primary_says_which_cluster_it_is()
    {
        var cluster = new ScriptedCluster(firstNodeIsReference: false);
        cluster.AnswerAsReplica(0, 100, systemId: 42);
        cluster.AnswerAsPrimary(1, 100);
        cluster.AnswerAsReplica(2, 100);

        Assert.Equal(1, cluster.Picture.Current.Primary!.Node.Ordinal);
        Assert.Equal(Freshness.WrongCluster, cluster.Standing(0));
        Assert.Equal(Freshness.Fresh, cluster.Judge(2));
    }

    [Fact]
    public void The_first_node_names_the_cluster_even_while_it_is_a_standby()
    {
        var cluster = new ScriptedCluster();
        cluster.AnswerAsReplica(0, 100, timeline: 2);
        cluster.AnswerAsPrimary(1, 100, timeline: 2);

        Assert.Equal(1, cluster.Picture.Current.Primary!.Node.Ordinal);
        Assert.Equal(Freshness.Fresh, cluster.Standing(0));
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 0)]
    public void Of_two_primaries_the_one_on_the_higher_timeline_is_the_primary(int former, int promoted)
    {
        var cluster = new ScriptedCluster(firstNodeIsReference: false);
        cluster.AnswerAsPrimary(former, 100, timeline: 1);
        cluster.AnswerAsPrimary(promoted, 100, timeline: 2);
        cluster.AnswerAsPrimary(former, 200, timeline: 1);
        if (former != 0)
        {
            cluster.AnswerAsPrimary(promoted, 100, timeline: 2);
        }

        Assert.Equal(promoted, cluster.Picture.Current.Primary!.Node.Ordinal);
        Assert.Equal(Freshness.NotAReplica, cluster.Standing(former));
    }

    [Fact]
    public void A_standby_of_the_former_history_is_refused_after_a_promotion()
    {
        var cluster = Serving(firstNodeIsReference: false);
        cluster.AnswerAsPrimary(1, 100, timeline: 2);

        cluster.AnswerAsReplica(2, 100, timeline: 1);
        Assert.Equal(Freshness.WrongTimeline, cluster.Standing(2));

        cluster.AnswerAsReplica(2, 100, timeline: 2);
        Assert.Equal(Freshness.Fresh, cluster.Standing(2));
    }

    [Fact]
    public void Positions_of_the_former_history_prove_nothing_after_a_promotion()
    {
        var cluster = Serving();
        cluster.Clock.Advance(_interval);

        cluster.AnswerAsPrimary(1, 500, timeline: 2);
        cluster.AnswerAsReplica(2, 400, timeline: 2);

        Assert.Equal(Moment.Never, cluster.State(2).VisibleThrough);
    }

    [Fact]
    public void Forgetting_leaves_only_the_bans()
    {
        var cluster = Serving();
        cluster.Picture.Ban(cluster.Nodes[2]);
        var ban = cluster.State(2).Ban;

        cluster.Picture.Forget();

        Assert.Null(cluster.Picture.Current.Primary);
        Assert.Equal(new NodeState(cluster.Nodes[1]), cluster.State(1));
        Assert.Equal(new NodeState(cluster.Nodes[2]) { Ban = ban }, cluster.State(2));

        cluster.AnswerAsPrimary(0, 500);
        Assert.Equal(Moment.Never, cluster.AnswerAsReplica(1, 400).VisibleThrough);
    }

    [Fact]
    public void The_cluster_stays_the_same_when_measurements_are_forgotten()
    {
        var cluster = Serving(firstNodeIsReference: false);
        cluster.Picture.Forget();

        cluster.AnswerAsPrimary(0, 100, systemId: 42);

        Assert.Null(cluster.Picture.Current.Primary);
    }

    [Fact]
    public void A_ban_rules_a_node_out_until_it_ends_and_a_pardon_restores_it()
    {
        var cluster = Serving();

        Assert.Equal(1, cluster.Picture.Ban(cluster.Nodes[1]).Failures);
        Assert.Equal(Freshness.Banned, cluster.Standing(1));
        Assert.Equal(Moment.Never, cluster.State(1).ServingSince);

        cluster.Clock.Advance(500.Milliseconds());
        Assert.Equal(Freshness.Fresh, cluster.Standing(1));
        Assert.Equal(2, cluster.Picture.Ban(cluster.Nodes[1]).Failures);

        cluster.Picture.Pardon(cluster.Nodes[1]);
        Assert.Equal(NodeBan.None, cluster.State(1).Ban);
        Assert.Equal(Freshness.Fresh, cluster.Standing(1));
        Assert.Equal(cluster.Clock.Now, cluster.State(1).ServingSince);
    }

    [Fact]
    public void An_answer_to_a_probe_does_not_end_a_ban()
    {
        var cluster = Serving();
        cluster.Picture.Ban(cluster.Nodes[1]);

        cluster.AnswerAsReplica(1, 100);

        Assert.Equal(Freshness.Banned, cluster.Standing(1));
    }

    [Fact]
    public void The_ramp_up_starts_when_a_node_begins_to_serve_and_not_at_later_answers()
    {
        var cluster = new ScriptedCluster();
        cluster.AnswerAsReplica(1, 100);
        Assert.Equal(Moment.Never, cluster.State(1).ServingSince);

        cluster.AnswerAsPrimary(0, 100);
        var since = cluster.Clock.Now;
        Assert.Equal(since, cluster.State(1).ServingSince);

        cluster.Clock.Advance(_interval);
        cluster.AnswerAsPrimary(0, 100);
        cluster.AnswerAsReplica(1, 100);
        Assert.Equal(since, cluster.State(1).ServingSince);
    }

    [Fact]
    public void The_ramp_up_starts_anew_after_a_failed_probe()
    {
        var cluster = Serving();
        cluster.Clock.Advance(_interval);
        cluster.Picture.ReportUnreachable(cluster.Nodes[1], "Connection refused");
        Assert.Equal(Moment.Never, cluster.State(1).ServingSince);

        cluster.AnswerAsReplica(1, 100);
        Assert.Equal(cluster.Clock.Now, cluster.State(1).ServingSince);
    }

    [Fact]
    public void A_report_tells_the_state_before_and_after()
    {
        var cluster = Serving();

        var (before, after) = cluster.Picture.Report(
            cluster.Nodes[1],
            new NodeSample(NodeRole.Primary, new ServerIdentity(ScriptedCluster.SystemId, 2), new WalPosition(100), cluster.Clock.Now, cluster.Clock.Now));

        Assert.Equal(NodeRole.Replica, before.Sample!.Role);
        Assert.Equal(NodeRole.Primary, after.Sample!.Role);
        Assert.Same(cluster.State(1), after);
    }

    [Fact]
    public void A_snapshot_never_changes()
    {
        var cluster = Serving();
        var snapshot = cluster.Picture.Current;
        var states = snapshot.Nodes.ToArray();

        cluster.Clock.Advance(_interval);
        cluster.AnswerAsPrimary(0, 200);
        cluster.Picture.Ban(cluster.Nodes[1]);

        Assert.Equal(states, snapshot.Nodes);
        Assert.Equal(100UL, snapshot.Primary!.Sample!.Position.Value);
    }

    // A primary with two replicas that have everything.
    [Fact]
    public void Latency_falls_at_once_and_rises_by_a_quarter_a_probe()
    {
        var cluster = new ScriptedCluster();
        double[] measured = [10, 2, 100, 100, 2.1, 1];

        var known = measured.Select(m => AnswerAfter(TimeSpan.FromMilliseconds(m)).Latency.TotalMilliseconds).ToList();

        Assert.Equal([10, 2, 2.5, 3.125, 2.1, 1], known);

        NodeState AnswerAfter(TimeSpan time) => cluster.Picture.Report(
            cluster.Nodes[1],
            new NodeSample(NodeRole.Replica, new ServerIdentity(ScriptedCluster.SystemId, 1), new WalPosition(100), cluster.Clock.Now, cluster.Clock.Advance(time))).After;
    }

    private static ScriptedCluster Serving(bool firstNodeIsReference = true)
    {
        var cluster = new ScriptedCluster(firstNodeIsReference: firstNodeIsReference);
        cluster.AnswerAsPrimary(0, 100);
        cluster.AnswerAsReplica(1, 100);
        cluster.AnswerAsReplica(2, 100);
        return cluster;
    }

    // The primary goes on writing while node 1 stands still.
    private static void LetReplayPause(ScriptedCluster cluster, TimeSpan time)
    {
        var end = cluster.Clock.Now.Plus(time, cluster.Clock);
        for (var position = 101UL; cluster.Clock.Now < end; position++)
        {
            cluster.Clock.Advance(_interval);
            cluster.AnswerAsPrimary(0, position);
            cluster.AnswerAsReplica(1, 100);
        }
    }

    private static void AnswerFresh(ScriptedCluster cluster, int probes)
    {
        for (var probe = 0; probe < probes; probe++)
        {
            cluster.AnswerAsPrimary(0, 1_000);
            cluster.AnswerAsReplica(1, 1_000);
        }
    }
}
