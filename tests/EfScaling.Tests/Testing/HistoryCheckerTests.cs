using EfScaling.Consistency;
using EfScaling.Routing;
using EfScaling.Testing.History;
using EfScaling.Topology;

namespace EfScaling.Tests.Testing;

/// <summary>Hand-written histories, good and bad ones for every rule. Times are in seconds.</summary>
public sealed class HistoryCheckerTests
{
    public static TheoryData<string, HistoryRule?, HistoryEvent[]> Histories => new()
    {
        { "nothing happened", null, [] },
        { "a register that nobody wrote is zero", null, [Read(0, 1, 2)] },
        { "a session sees what it wrote", null, [Write(1, 0, 1), Read(1, 2, 3)] },
        { "a session sees something later than it wrote", null, [Write(1, 0, 1), Write(2, 1, 2, session: 2), Read(2, 3, 4)] },
        { "a session misses what it wrote", HistoryRule.ReadYourWrites, [Write(1, 0, 1), Read(0, 2, 3, bound: 5)] },
        { "a read began before the write of its session had ended", null, [Write(1, 0, 2), Read(0, 1, 3, bound: 5)] },
        { "a session may miss what it perhaps wrote", null, [Write(1, 0, 1, HistoryOutcome.Unknown), Read(0, 2, 3, bound: 5)] },
        { "another session may miss the write within the bound", null, [Write(1, 0, 1), Read(0, 2, 3, session: 2, bound: 5)] },
        { "a read that asked for no session may miss its write within the bound", null, [Write(1, 0, 1), Read(0, 2, 3, contract: ReadContract.MaxStaleness, bound: 5)] },

        { "a session goes back to another replica", HistoryRule.MonotonicReads, [Write(1, 0, 1, session: 2), Read(1, 2, 3), Read(0, 4, 5, bound: 9)] },
        { "a session goes back after the primary", HistoryRule.MonotonicReads, [Write(1, 0, 1, session: 2), OnPrimary(1, 2, 3), Read(0, 4, 5, bound: 9)] },
        { "reads at the same time prove nothing", null, [Write(1, 0, 1, session: 2), Read(1, 2, 4), Read(0, 3, 5, bound: 9)] },
        { "two sessions see different things", null, [Write(1, 0, 1, session: 2), Read(1, 2, 3), Read(0, 4, 5, session: 3, bound: 9)] },
        { "what a read of any data saw binds nobody", null, [Write(1, 0, 1, session: 2), Read(1, 2, 3, contract: ReadContract.Any), Read(0, 4, 5, bound: 9)] },
        {
            "the primary shows later what a replica showed of a write that was not acknowledged",
            HistoryRule.MonotonicOnPrimary,
            [Write(1, 0, 9, session: 2), Read(1, 2, 3), OnPrimary(0, 4, 5)]
        },

        { "a replica lacks what is older than its bound", HistoryRule.StalenessBound, [Write(1, 0, 1), Read(0, 3, 4, session: 2, bound: 1)] },
        { "a replica lacks what is younger than its bound", null, [Write(1, 0, 2.5), Read(0, 3, 4, session: 2, bound: 1)] },
        { "a bound from before the beginning proves nothing", null, [Write(1, 0, 1), Read(0, 3, 4, session: 2, bound: 1_000_000)] },
        { "the bound is above the limit", HistoryRule.StalenessLimit, [Read(0, 3, 4, bound: 2, limit: 1)] },
        { "the bound is below the limit", null, [Read(0, 3, 4, bound: 1, limit: 2)] },

        { "the primary lacks an acknowledged write", HistoryRule.NoLostWrite, [Write(1, 0, 1), OnPrimary(0, 2, 3, session: 2)] },
        { "the primary lacks a write that may have failed", null, [Write(1, 0, 1, HistoryOutcome.Unknown), OnPrimary(0, 2, 3, session: 2)] },
        { "a write that may have failed is seen", null, [Write(1, 0, 1, HistoryOutcome.Unknown), OnPrimary(1, 2, 3, session: 2)] },

        { "a value that nobody wrote", HistoryRule.NothingInvented, [Write(1, 0, 1), Read(2, 2, 3)] },
        { "a value that was rolled back", HistoryRule.NothingInvented, [Write(1, 0, 1, HistoryOutcome.Refused), Read(1, 2, 3)] },
        { "a value that was written after it was read", HistoryRule.NothingInvented, [Read(1, 2, 3), Write(1, 4, 5)] },
        { "a value that was read before its write had ended", null, [Write(1, 0, 9), Read(1, 2, 3)] },

        { "no read at rest finds a replica", HistoryRule.ReplicasServe, [Quiet(0, 10), .. Many(i => OnPrimary(0, 8, 9, limit: 1, command: i))] },
        { "one read at rest finds a replica", null, [Quiet(0, 10), .. Many(i => OnPrimary(0, 8, 9, limit: 1, command: i)), Read(0, 8, 9, limit: 1)] },
        { "reads soon after the rest began", null, [Quiet(0, 10), .. Many(i => OnPrimary(0, 1, 2, limit: 1, command: i))] },
        { "reads that ended after the rest", null, [Quiet(0, 10), .. Many(i => OnPrimary(0, 8, 11, limit: 1, command: i))] },
        { "reads that asked for the primary", null, [Quiet(0, 10), .. Many(i => OnPrimary(0, 8, 9, contract: ReadContract.Primary, command: i))] },
    };

    [Theory]
    [MemberData(nameof(Histories), DisableDiscoveryEnumeration = true)]
    public void History_is_judged(string what, HistoryRule? broken, HistoryEvent[] history)
    {
        var violations = HistoryChecker.Check(history);

        Assert.True(broken is { } rule ? violations.Any(v => v.Rule == rule) : violations.Count == 0, $"{what}: {string.Join('\n', violations)}");
        Assert.Equal(violations, HistoryChecker.Check(history.Reverse()), (one, other) => one.Rule == other.Rule && one.Breach == other.Breach);
    }

    [Fact]
    public void Violation_prints_only_what_proves_it()
    {
        var violation = Assert.Single(HistoryChecker.Check([Write(1, 0, 1), Write(2, 1, 2), Write(1, 1, 2, register: 8), Read(2, 2.1, 2.2), Read(1, 3, 4, bound: 9)]), v => v.Rule == HistoryRule.ReadYourWrites);

        Assert.Equal(
            [
                "ReadYourWrites:",
                "    1.000000 …   2.000000 s  client 0, session 1: wrote 7 := 2 by SaveChanges (Acknowledged)",
                "    3.000000 …   4.000000 s  client 0, session 1: read  7 == 1 by list (Session) on replica r: FreshReplica, at most 9.000 s old",
            ],
            violation.ToString().Split(Environment.NewLine));
    }

    [Fact]
    public void Schedule_is_the_same_for_the_same_seed_and_has_every_kind()
    {
        var schedule = new FaultSchedule(7, standbys: 2);
        var kinds = Enum.GetValues<FaultKind>();

        Assert.Equal(schedule.Take(100), new FaultSchedule(7, standbys: 2).Take(100));
        Assert.NotEqual(schedule.Take(100), new FaultSchedule(8, standbys: 2).Take(100));
        Assert.Equal(kinds, schedule.Take(kinds.Length).Select(f => f.Kind).Order());
        Assert.Empty(new FaultSchedule(7, standbys: 2, []));
    }

    private static IEnumerable<HistoryEvent> Many(Func<int, HistoryEvent> read) => Enumerable.Range(1, 30).Select(read);

    private static HistoryEvent Write(long value, double started, double ended, HistoryOutcome outcome = HistoryOutcome.Acknowledged, int session = 1, int register = 7) => new()
    {
        Operation = HistoryOperation.Write,
        How = "SaveChanges",
        Session = session,
        Register = register,
        Value = value,
        Outcome = outcome,
        Started = TimeSpan.FromSeconds(started),
        Ended = TimeSpan.FromSeconds(ended),
    };

    private static HistoryEvent Read(
        long value, double started, double ended, int session = 1, ReadContract contract = ReadContract.Session, double bound = 0, double? limit = null) => new()
    {
        Operation = HistoryOperation.Read,
        How = "list",
        Session = session,
        Register = 7,
        Value = value,
        Contract = contract,
        Limit = limit is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
        Routing = new RoutingDecision("r", NodeRole.Replica, RoutingReason.FreshReplica, TimeSpan.FromSeconds(bound), 1),
        Started = TimeSpan.FromSeconds(started),
        Ended = TimeSpan.FromSeconds(ended),
    };

    private static HistoryEvent OnPrimary(
        long value, double started, double ended, int session = 1, ReadContract contract = ReadContract.Session, double? limit = null, int command = 0) =>
        Read(value, started, ended, session, contract, limit: limit) with
        {
            Command = command,
            Routing = new RoutingDecision("p", NodeRole.Primary, RoutingReason.ReplicasTooStale, TimeSpan.Zero, 1),
        };

    private static HistoryEvent Quiet(double started, double ended) =>
        new() { Operation = HistoryOperation.Quiet, How = "rest", Started = TimeSpan.FromSeconds(started), Ended = TimeSpan.FromSeconds(ended) };
}
