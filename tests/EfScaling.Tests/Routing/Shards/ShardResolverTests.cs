using System.Collections.Frozen;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using EfScaling.Tests.Caching;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Tests.Routing.Shards;

/// <summary>Ids lead to all shards that may have rows of their bucket, and to none if no row can have them.</summary>
public sealed class ShardResolverTests
{
    private const int Tenant = 5;

    private static readonly HashShardMap _hash = new(["a", "b"], keyTypes: [ShardKeyType.Int4]);

    private static long Id => ShardedId.Of(1, _hash.BucketOf(ShardKey.Of(Tenant))!.Value, 0, 0);

    [Fact]
    public void An_id_has_the_shard_of_its_bucket() => Assert.Equal(
        new ShardChoice(_hash.ShardOf(ShardKey.Of(Tenant)), null, null),
        Resolve(_hash, c => c.Posts.Where(p => p.Id == Id).ToList()));

    [Fact]
    public void An_id_of_a_bucket_with_a_pinned_key_has_several()
    {
        var elsewhere = _hash.ShardOf(ShardKey.Of(Tenant)) == "a" ? "b" : "a";
        var pinned = new DirectoryShardMap(_hash, [KeyValuePair.Create(ShardKey.Of(Tenant), elsewhere)]);
        Assert.Equal(["a", "b"], Resolve(pinned, c => c.Posts.Where(p => p.Id == Id).ToList()).Several!.Order());
        Assert.Equal(["a", "b"], Resolve(pinned, c => c.Posts.Where(p => p.TenantId == Tenant && p.Replies.Any()).ToList()).Several!.Order());
        Assert.Equal(elsewhere, Resolve(pinned, c => c.Posts.Where(p => p.Id == Id && p.TenantId == Tenant).ToList()).Single);
    }

    [Fact]
    public void A_number_that_is_no_id_is_on_no_shard()
    {
        Assert.Equal(default, Resolve(_hash, c => c.Posts.Where(p => p.Id == -5L).ToList()));
        var small = new HashShardMap(["a", "b"], buckets: 2, keyTypes: [ShardKeyType.Int4]);
        var beyond = ShardedId.Of(1, 2, 0, 0);
        Assert.Equal(default, Resolve(small, c => c.Posts.Where(p => p.Id == beyond).ToList()));
    }

    private static ShardChoice Resolve(ShardMap map, Func<TenantsContext, object> query)
    {
        var choice = default(ShardChoice);
        CommandCapture.Of(
            o => new TenantsContext(o),
            c => _ = query(c),
            tree =>
            {
                var plan = ShardPlanReader.Read(tree);
                var terms = plan.Tables.SelectMany(t => t.Bucket is { Ids.IsDefault: false } bucket ? bucket.Ids : []);
                var values = terms.Where(t => t.Parameter is not null).ToDictionary(t => t.Parameter!, t => (object?)(t.Parameter == "beyond" ? ShardedId.Of(1, 2, 0, 0) : Id));
                choice = new ShardResolver("a").Resolve(
                    new ShardPicture(new Dictionary<string, ShardMap> { [string.Empty] = map }.ToFrozenDictionary()), plan, values, claim: null);
                return tree;
            });
        return choice;
    }
}
