using EfScaling.Routing.Checks;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;

namespace EfScaling.Tests.Routing.Checks;

/// <summary>What the answers of shards say about them. Finding it out is tested on real servers.</summary>
public sealed class ShardsCheckTests
{
    private static readonly HashShardMap _map = new(["a", "b"], keyTypes: [ShardKeyType.Int4], version: 3);

    private static readonly ShardAnswer _well = new(
        "shop", SystemId: "1", Oid: 5, ServerVersion: 150_000, IsReadOnly: false, HashesAlike: true, new Dictionary<string, string> { ["default en_US.UTF-8"] = "2.36" })
    {
        Maps = new Dictionary<string, (long, string)> { [string.Empty] = (_map.Version, _map.Fingerprint) },
        MaxPrepared = 100,
        HasDecisions = true,
    };

    [Fact]
    public void Shards_that_are_well_give_no_findings() => Assert.Empty(Judge(_well, _well with { Oid = 6 }));

    [Fact]
    public void A_shard_is_judged_by_each_of_its_answers()
    {
        AssertFinding(ShardFindingKind.ReadOnly, isError: true, "is a standby or reads only", _well with { IsReadOnly = true });
        AssertFinding(ShardFindingKind.VersionTooOld, isError: true, "PostgreSQL 13, and 14 is the oldest", _well with { ServerVersion = 130_015, HashesAlike = false });
        AssertFinding(ShardFindingKind.HashDiffers, isError: true, "not little-endian", _well with { HashesAlike = false });
        AssertFinding(ShardFindingKind.CollationOutdated, isError: false, "the collation 'de-x-icu' has changed since", _well with { Outdated = ["de-x-icu"] });
        AssertFinding(ShardFindingKind.MapNotRecorded, isError: false, "no record, that this role may read, of the shard map. Call MigrateAsync()", _well with { Maps = null });
        AssertFinding(ShardFindingKind.MapDiffers, isError: true, "another version 3 of the shard map", With(3, "other"));
        AssertFinding(ShardFindingKind.MapDiffers, isError: true, "version 4 of the shard map, and this process has version 3", With(4, "other"));
        Assert.Empty(Judge(With(2, "other")));

        static ShardAnswer With(long version, string fingerprint) =>
            _well with { Maps = new Dictionary<string, (long, string)> { [string.Empty] = (version, fingerprint) } };
    }

    [Fact]
    public void Shards_are_compared_with_each_other()
    {
        var twin = Assert.Single(Judge(_well, _well));
        Assert.Equal(("b", ShardFindingKind.SameDatabase, true), (twin.Shard, twin.Kind, twin.IsError));
        Assert.StartsWith("shard 'b': it is the same database as shard 'a' ('shop')", twin.ToString(), StringComparison.Ordinal);

        var other = Assert.Single(Judge(_well, _well with { Oid = 6, Collations = new Dictionary<string, string> { ["default en_US.UTF-8"] = "2.31" } }));
        Assert.Equal(("b", ShardFindingKind.CollationDiffers, false), (other.Shard, other.Kind, other.IsError));
        Assert.Contains("has version '2.31', and '2.36' on shard 'a'", other.Description, StringComparison.Ordinal);
    }

    [Fact]
    public void What_keeps_transactions_over_several_shards_from_being_committed_is_found()
    {
        var other = _well with { Oid = 6 };
        var finding = Assert.Single(Judge(_well with { MaxPrepared = 0 }, other));
        Assert.Equal(("a", ShardFindingKind.NoPreparedTransactions, false), (finding.Shard, finding.Kind, finding.IsError));
        finding = Assert.Single(Judge(_well, other with { HasDecisions = false }));
        Assert.Equal(("b", ShardFindingKind.NoDecisions, false), (finding.Shard, finding.Kind, finding.IsError));
        finding = Assert.Single(Judge(_well, other with { OldestPrepared = 61 }));
        Assert.Equal(("b", ShardFindingKind.PreparedTooLong, false), (finding.Shard, finding.Kind, finding.IsError));
        Assert.Contains("has been prepared for 61 s", finding.Description, StringComparison.Ordinal);
        Assert.Empty(Judge(_well, other with { OldestPrepared = 59 }));

        // One shard alone has no such transactions.
        Assert.Empty(Judge(_well with { MaxPrepared = 0, HasDecisions = false }));
    }

    [Fact]
    public void A_shard_that_gave_no_answer_is_a_finding_with_its_failure()
    {
        var failure = new TimeoutException("too late");
        var finding = Assert.Single(ShardsCheck.Judge([new ShardResult<ShardAnswer>("a", null, failure)], new Dictionary<string, ShardMap>()));
        Assert.Equal((ShardFindingKind.Unreachable, true), (finding.Kind, finding.IsError));
        Assert.Same(failure, Assert.Throws<InvalidOperationException>(new ShardsCheckResult([finding]).ThrowIfUnhealthy).InnerException);
    }

    private static void AssertFinding(ShardFindingKind kind, bool isError, string text, ShardAnswer answer)
    {
        var finding = Assert.Single(Judge(answer));
        Assert.Equal((kind, isError), (finding.Kind, finding.IsError));
        Assert.Contains(text, finding.Description, StringComparison.Ordinal);
    }

    private static List<ShardFinding> Judge(params ShardAnswer[] answers) => ShardsCheck.Judge(
        [.. answers.Select((a, i) => new ShardResult<ShardAnswer>(i == 0 ? "a" : "b", a, null))],
        new Dictionary<string, ShardMap> { [string.Empty] = _map });
}
