using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Sharding;

/// <summary>A query that names no key runs on the shard that the application names, and on no other.</summary>
public sealed class OnShardTests(PressDatabases databases) : IClassFixture<PressDatabases>
{
    private static readonly Func<PressContext, IAsyncEnumerable<Guid>> _compiled = EF.CompileAsyncQuery((PressContext c) => c.Authors.OnShard("second").OrderBy(a => a.Id).Select(a => a.Id));

    [Fact]
    public async Task Queries_and_SQL_run_on_the_shard_that_is_named()
    {
        await using var context = databases.Sharded.CreateDbContext();
        foreach (var shard in databases.Sharded.Shards)
        {
            var expected = databases.Authors.Where(a => databases.ShardOf(a) == shard).Select(a => a.Id).Order().ToList();
            Assert.Equal(expected, (await context.Authors.OnShard(shard).Select(a => a.Id).ToListAsync()).Order());
            Assert.Equal(shard, context.Database.LastRouting()!.Value.Shard);
            Assert.Equal(expected, (await context.Authors.FromSql($"SELECT * FROM \"Authors\"").OnShard(shard).ToListAsync()).Select(a => a.Id).Order());
            Assert.Equal(expected.Count, (await context.Authors.FromSqlRaw("SELECT * FROM \"Authors\"").Where(a => a.Name != "").OnShard(shard).AsNoTracking().ToListAsync()).Count);
            Assert.Equal(expected.Count, await context.Database.SqlQueryRaw<int>("SELECT count(*)::int AS \"Value\" FROM \"Authors\"").OnShard(shard).SingleAsync());
            Assert.StartsWith($"shard {shard}, by OnShard", context.Authors.OnShard(shard).ToRoutingString(), StringComparison.Ordinal);
        }

        var author = databases.Authors[0];
        var named = context.Database.GetShardMap().ShardOf(ShardKey.Of(author.Id));
        Assert.Equal(author.Name, (await context.Authors.OnShard(named).SingleAsync(a => a.Id == author.Id)).Name);
    }

    [Fact]
    public async Task A_compiled_query_names_its_shard()
    {
        await using var context = databases.Sharded.CreateDbContext();
        var found = new List<Guid>();
        await foreach (var id in _compiled(context))
        {
            found.Add(id);
        }

        Assert.Equal(databases.Authors.Where(a => databases.ShardOf(a) == "second").Select(a => a.Id).Order(), found.Order());
    }

    [Fact]
    public async Task What_certainly_concerns_another_shard_is_refused()
    {
        var (one, other) = databases.TwoOfDifferentShards();
        await using var context = databases.Sharded.CreateDbContext();
        var refusal = await Assert.ThrowsAsync<CrossShardException>(() => context.Authors.Where(a => a.Id == other.Id).OnShard(databases.ShardOf(one)).ToListAsync());
        Assert.Equal((CrossShardReason.OutsideNamedShard, databases.ShardOf(other)), (refusal.Reason, Assert.Single(refusal.Shards)));
        Assert.Contains($"was to run on the shard '{databases.ShardOf(one)}' by OnShard(...), but concerns '{databases.ShardOf(other)}'", refusal.Message, StringComparison.Ordinal);
        await using var bound = databases.Sharded.CreateDbContext(ShardKey.Of(one.Id));
        refusal = await Assert.ThrowsAsync<CrossShardException>(() => bound.Authors.OnShard(databases.ShardOf(other)).ToListAsync());
        Assert.Equal(CrossShardReason.OutsideBoundShard, refusal.Reason);
        Assert.NotEmpty(await bound.Authors.OnShard(databases.ShardOf(one)).ToListAsync());
    }

    [Fact]
    public async Task Shards_that_are_not_there_or_are_two_are_named()
    {
        await using var context = databases.Sharded.CreateDbContext();
        var unknown = await Assert.ThrowsAsync<InvalidOperationException>(() => context.Authors.OnShard("nowhere").ToListAsync());
        Assert.Contains("OnShard was given 'nowhere', which is no shard; the shards are 'first', 'second', 'third'", unknown.Message, StringComparison.Ordinal);
        var two = await Assert.ThrowsAsync<InvalidOperationException>(() => context.Authors.OnShard("first").OnShard("second").ToListAsync());
        Assert.Contains("Call OnShard(...) once", two.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => context.Authors.OnShard(" "));
    }
}
