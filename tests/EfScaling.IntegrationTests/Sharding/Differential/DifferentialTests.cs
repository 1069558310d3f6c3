using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using EfScaling.Consistency;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace EfScaling.IntegrationTests.Sharding.Differential;

/// <summary>Random queries give the same rows on one database and on four shards, or a refusal; for each strategy.</summary>
/// <remarks>A seed is printed with each failure; <c>EFSCALING_SEED</c> repeats it. <c>EFSCALING_NIGHTLY</c> runs twenty times as many queries.</remarks>
public sealed class DifferentialTests(Clusters.ClusterFixture fixture) : IAsyncLifetime
{
    private const int Queries = 60;

    private static readonly string[] _shards = ["north", "east", "south", "west"];
    private static readonly JsonSerializerOptions _json = new() { ReferenceHandler = ReferenceHandler.IgnoreCycles };

    private readonly string _name = $"strategies_{Guid.NewGuid():N}";
    private ServiceProvider? _services;

    private ShardedDbContextFactory<StrategiesContext> Sharded => _services!.GetRequiredService<ShardedDbContextFactory<StrategiesContext>>();

    public async ValueTask InitializeAsync()
    {
        foreach (var database in _shards.Append("all"))
        {
            await fixture.Cluster.Primary.ExecuteAsync($"CREATE DATABASE {_name}_{database}");
        }

        // The same capabilities as the other tests over shards: for each other choice of them EF builds services of its own, and warns after twenty.
        _services = new ServiceCollection()
            .AddShardedDbContextFactory<StrategiesContext>((_, o) => o
                .UseNpgsql()
                .UseSharding(s =>
                {
                    Array.ForEach(_shards, shard => s.AddShard(shard, ConnectionTo(shard), r => r.AddReplica(ConnectionTo(shard, fixture.Cluster.Standbys[0])).DefaultContract(ReadContract.Primary)));
                    StrategiesContext.UseMaps(s);
                })
                .UseQueryCache(null))
            .BuildServiceProvider();
        await using (var whole = Whole())
        {
            await whole.Database.EnsureCreatedAsync();
        }

        await using var spanning = Sharded.CreateDbContext();
        await spanning.Database.EnsureCreatedAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_services is not null)
        {
            await _services.DisposeAsync();
        }
    }

    [Fact]
    public Task Hash() => CompareAsync<ByHash>(map: null);

    [Fact]
    public Task Ranges() => CompareAsync<ByRange>("ranges");

    [Fact]
    public Task Directory() => CompareAsync<ByDirectory>("pins");

    [Fact]
    public Task Ring() => CompareAsync<ByRing>("ring");

    [Fact]
    public Task Regions_with_composite_keys() => CompareAsync<ByRegion>("regions", isComposite: true);

    private async Task CompareAsync<TStrategy>(string? map, bool isComposite = false)
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("EFSCALING_SEED"), out var given) ? given : Random.Shared.Next();
        TestContext.Current.TestOutputHelper?.WriteLine($"EFSCALING_SEED={seed}");
        await FillAsync<TStrategy>(map, isComposite);
        var generator = new QueryGenerator<TStrategy>(new Random(seed), isComposite);
        var count = string.IsNullOrEmpty(Environment.GetEnvironmentVariable("EFSCALING_NIGHTLY")) ? Queries : Queries * 20;
        var (answered, refused) = (0, 0);
        for (var i = 0; i < count; i++)
        {
            var query = generator.Next();
            await using var spanning = Sharded.CreateDbContext();
            var actual = await RunAsync(query, spanning);
            if (actual.IsRefused)
            {
                refused++;
                Assert.False(query.NamesItsKey, $"Refused although it names its key (seed {seed}, query {i}): {query.Text}\n{actual.Text}");
                continue;
            }

            await using var whole = Whole();
            var expected = await RunAsync(query, whole);
            answered++;
            Assert.True(expected == actual, $"Other rows (seed {seed}, query {i}): {query.Text}\none database: {expected.Text}\nshards: {actual.Text}");
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{answered} answered, {refused} refused");
        Assert.True(answered > count / 4 && refused > 0, $"{answered} answered, {refused} refused (seed {seed})");

        // What the writes among them did.
        await using var end = Whole();
        var left = await Task.WhenAll(_shards.Select(async shard =>
        {
            await using var bound = Sharded.CreateDbContextOnShard(shard);
            return (Parents: await bound.Set<Parent<TStrategy>>().AsNoTracking().ToListAsync(), Children: await bound.Set<Child<TStrategy>>().AsNoTracking().ToListAsync());
        }));
        Assert.Equal(Text(await end.Set<Parent<TStrategy>>().AsNoTracking().ToListAsync(), isOrdered: false), Text(left.SelectMany(l => l.Parents).ToList(), isOrdered: false));
        Assert.Equal(Text(await end.Set<Child<TStrategy>>().AsNoTracking().ToListAsync(), isOrdered: false), Text(left.SelectMany(l => l.Children).ToList(), isOrdered: false));
    }

    private static async Task<(bool IsRefused, string Text)> RunAsync(QueryCase query, StrategiesContext context)
    {
        try
        {
            return (false, Text(await query.RunAsync(context), query.IsOrdered));
        }
        catch (CrossShardException refusal)
        {
            return (true, refusal.Message);
        }
        catch (InvalidOperationException untranslatable)
        {
            return (false, untranslatable.GetType().Name);
        }
    }

    private static string Text(object? result, bool isOrdered) => Sorted(JsonSerializer.SerializeToNode(result, _json), isOrdered)?.ToJsonString() ?? "null";

    // Without an order, rows and the children among them come as they come.
    private static JsonNode? Sorted(JsonNode? node, bool isOrdered) => node switch
    {
        JsonArray array when isOrdered => new JsonArray([.. array.Select(n => Sorted(n, isOrdered: false))]),
        JsonArray array => new JsonArray([.. array.Select(n => Sorted(n, isOrdered: false)).OrderBy(n => n?.ToJsonString(), StringComparer.Ordinal)]),
        JsonObject members => new JsonObject(members.Select(m => KeyValuePair.Create(m.Key, Sorted(m.Value, isOrdered: false)))),
        _ => node?.DeepClone(),
    };

    private async Task FillAsync<TStrategy>(string? map, bool isComposite)
    {
        var random = new Random(1);
        List<Parent<TStrategy>> parents = [];
        for (var key = 1; key <= QueryGenerator<TStrategy>.Keys; key++)
        {
            foreach (var region in StrategiesContext.Regions.Where((_, i) => i == 0 || (key + i) % 3 > 0))
            {
                var parent = new Parent<TStrategy> { Region = region, Key = key, Name = $"name {key % 5}", Amount = random.Next(50), Other = key % 4 == 0 ? null : key % 2 == 0 ? key : key + 1 };
                parent.Children.AddRange(Enumerable.Range(1, random.Next(5)).Select(n => new Child<TStrategy> { Region = region, Key = key, Number = n, Value = random.Next(4) == 0 ? null : random.Next(50), ColourId = 1 + random.Next(3) }));
                parents.Add(parent);
            }
        }

        foreach (var group in parents.GroupBy(p => Sharded.ShardOf(isComposite ? ShardKey.Composite(ShardKey.Of(p.Region), ShardKey.Of(p.Key)) : ShardKey.Of(p.Key), map)))
        {
            await using var bound = Sharded.CreateDbContextOnShard(group.Key);
            bound.AddRange(group);
            await bound.SaveChangesAsync();
        }

        await using var whole = Whole();
        whole.AddRange(parents);
        await whole.SaveChangesAsync();
    }

    private StrategiesContext Whole() => new(new DbContextOptionsBuilder<StrategiesContext>().UseNpgsql(ConnectionTo("all")).Options);

    private string ConnectionTo(string database, EfScaling.Testing.PostgresServer? server = null) =>
        new NpgsqlConnectionStringBuilder((server ?? fixture.Cluster.Primary).ConnectionString) { Database = $"{_name}_{database}" }.ConnectionString;
}
