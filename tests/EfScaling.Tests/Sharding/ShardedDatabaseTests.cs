using EfScaling.Sharding;
using EfScaling.Tests.Routing.Shards;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging.Abstractions;

namespace EfScaling.Tests.Sharding;

/// <summary>Maps that do not fit the model are refused with what to change.</summary>
public sealed class ShardedDatabaseTests
{
    [Fact]
    public void Ids_need_a_map_whose_buckets_they_can_carry()
    {
        Assert.NotNull(DatabaseOf(s => s.Buckets(ShardedId.MaxBuckets)));
        var refusal = Assert.Throws<InvalidOperationException>(() => DatabaseOf(s => s.Buckets(2048)));
        Assert.Contains("The shard map has 2048 buckets, and the ids that HasShardedId() makes carry the bucket, one of 1024 at most", refusal.Message, StringComparison.Ordinal);
        refusal = Assert.Throws<InvalidOperationException>(() => DatabaseOf(s => s.UseMap(shards => new RingShardMap(shards))));
        Assert.Contains("The shard map has no buckets", refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(128)]
    public void A_generators_number_is_one_of_128(int number)
    {
        var refusal = Assert.Throws<ArgumentOutOfRangeException>(() => new ShardingOptionsBuilder().GeneratorNumber(number));
        Assert.Contains("from 0 to 127", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(127, new ShardingOptionsBuilder().GeneratorNumber(127).Options.GeneratorNumber);
    }

    [Theory]
    [InlineData("Host=a,b;Password=secret")]
    [InlineData("Database=c;Password=secret")]
    public void A_fallback_coordinator_is_one_server(string connectionString)
    {
        var refusal = Assert.Throws<ArgumentException>(() => new ShardingOptionsBuilder().UseFallbackCoordinator(connectionString));
        Assert.DoesNotContain("secret", refusal.ToString(), StringComparison.Ordinal);
        var one = OptionsOf("Host=a;Password=secret");
        Assert.Equal(one, OptionsOf("Host=a;Password=secret"));
        Assert.NotEqual(one, OptionsOf("Host=b;Password=secret"));
        Assert.DoesNotContain("secret", one.ToString(), StringComparison.Ordinal);

        static ShardingOptions OptionsOf(string coordinator) => new ShardingOptionsBuilder().AddShard("a", "Host=a.invalid").UseFallbackCoordinator(coordinator).Options;
    }

    [Fact]
    public void Settings_are_equal_if_their_maps_are_and_not_if_only_their_code_is()
    {
        Assert.Equal(OptionsOf(new HashShardMap(["a", "b"])), OptionsOf(new HashShardMap(["a", "b"])));
        Assert.NotEqual(OptionsOf(new HashShardMap(["a", "b"])), OptionsOf(new HashShardMap(["a", "b"]).With(bucket: 0, "b")));

        static ShardingOptions OptionsOf(ShardMap map) => new ShardingOptionsBuilder().AddShard("a", "Host=a.invalid").AddShard("b", "Host=b.invalid").UseMap(_ => map).Options;
    }

    [Fact]
    public void Sharding_comes_behind_the_provider_and_not_with_replicas_of_one_database()
    {
        Refuses("Call UseNpgsql(...) before UseSharding(...)", o => o.UseSharding(s => s.AddShard("a", "Host=a.invalid")));
        Refuses("Give each shard its replicas instead", o => o.UseNpgsql("Host=a.invalid").UseReadReplicas(r => r.AddReplica("Host=b.invalid")).UseSharding(s => s.AddShard("a", "Host=a.invalid")));
        Refuses("Call AddShard(name, connection) for each of them", o => o.UseNpgsql().UseSharding(_ => { }));
        Refuses("names 'b' as the default shard", o => o.UseNpgsql().UseSharding(s => s.AddShard("a", "Host=a.invalid").DefaultShard("b")));

        static void Refuses(string remedy, Action<DbContextOptionsBuilder> configure)
        {
            var refusal = Assert.Throws<InvalidOperationException>(() => configure(new DbContextOptionsBuilder()));
            Assert.Contains(remedy, refusal.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_name_stands_for_one_shard()
    {
        var refusal = Assert.Throws<ArgumentException>(() => new ShardingOptionsBuilder().AddShard("a", "Host=a.invalid;Password=secret").AddShard("a", "Host=b.invalid;Password=secret"));
        Assert.Contains("'a'", refusal.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", refusal.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void The_default_shard_is_the_first_unless_another_is_named()
    {
        Assert.Equal("a", DatabaseOf(_ => { }).DefaultShard);
        Assert.Equal("b", DatabaseOf(s => s.DefaultShard("b")).DefaultShard);
    }

    private static ShardedDatabase DatabaseOf(Action<ShardingOptionsBuilder> configure)
    {
        var options = new ShardingOptionsBuilder().AddShard("a", "Host=a.invalid").AddShard("b", "Host=b.invalid");
        configure(options);
        using var context = new TenantsContext(new DbContextOptionsBuilder().UseNpgsql("Host=nowhere.invalid").Options);
        return new ShardedDatabase(options.Options, context.Model, TimeProvider.System, NullLogger.Instance);
    }
}
