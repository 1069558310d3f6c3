using System.Collections.Frozen;
using EfScaling.Sharding;
using EfScaling.Sharding.Catalog;
using Npgsql;

namespace EfScaling.Tests.Sharding.Catalog;

public sealed class OwnershipClaimTests
{
    private static readonly ShardPicture _picture = new(
        FrozenDictionary<string, ShardMap>.Empty,
        new Dictionary<string, MapOwnership>
        {
            [string.Empty] = new([.. Enumerable.Range(0, 128).Select(b => 100L + b)], new Dictionary<string, long> { ["a"] = 7, ["b"] = 8 }.ToFrozenDictionary()),
            ["other"] = new([], new Dictionary<string, long> { ["a"] = 3 }.ToFrozenDictionary()),
        }.ToFrozenDictionary());

    [Fact]
    public void Each_bucket_is_claimed_once_with_its_version_in_the_order_in_which_all_take_locks()
    {
        var claim = new OwnershipClaim(_picture, "b");
        claim.Add("other", MapOwnership.WholeShard);
        claim.Add(string.Empty, 9);
        claim.Add(string.Empty, 2);
        claim.Add(string.Empty, 9);
        claim.Shard = "a";

        Assert.Equal(" 2=102,  9=109, other -1=3", Sent(claim));
    }

    [Fact]
    public void More_than_64_buckets_claim_the_shard_as_a_whole()
    {
        var claim = new OwnershipClaim(_picture, "a");
        claim.Add("other", MapOwnership.WholeShard);
        for (var bucket = 0; bucket < 100; bucket++)
        {
            claim.Add(string.Empty, bucket);
        }

        Assert.Equal(" -1=7, other -1=3", Sent(claim));
    }

    [Fact]
    public void A_shard_that_has_no_part_in_a_map_is_claimed_with_the_version_that_such_shards_have()
    {
        var claim = new OwnershipClaim(_picture, "new");
        claim.Add(string.Empty, MapOwnership.WholeShard);

        Assert.Equal(" -1=0", Sent(claim));
    }

    private static string Sent(OwnershipClaim claim)
    {
        using var command = new NpgsqlCommand();
        claim.Prove(command, isRead: true);
        var (maps, buckets, versions) = ((string[])command.Parameters[0].Value!, (int[])command.Parameters[1].Value!, (long[])command.Parameters[2].Value!);
        return string.Join(", ", maps.Select((map, i) => $"{map} {buckets[i]}={versions[i]}"));
    }
}
