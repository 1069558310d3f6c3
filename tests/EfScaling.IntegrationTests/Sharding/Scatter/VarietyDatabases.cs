using EfScaling.Consistency;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <summary>The same random rows in one database, and spread over four.</summary>
/// <param name="cluster">The servers.</param>
/// <param name="createOptions">What is said when a database is created, such as its locale.</param>
/// <param name="contract">What reads ask for.</param>
internal sealed class VarietyDatabases(PostgresCluster cluster, string createOptions = "", ReadContract contract = ReadContract.Primary) : IAsyncDisposable
{
    private static readonly string[] _shards = ["north", "east", "south", "west"];

    private readonly string _name = $"variety_{Guid.NewGuid():N}";
    private ServiceProvider? _services;
    private ServiceProvider? _servicesWithFallback;

    /// <summary>Contexts over the shards.</summary>
    public ShardedDbContextFactory<VarietyContext> Sharded => _services!.GetRequiredService<ShardedDbContextFactory<VarietyContext>>();

    /// <summary>Contexts over the shards with a fallback coordinator.</summary>
    public ShardedDbContextFactory<VarietyContext> WithFallback => _servicesWithFallback!.GetRequiredService<ShardedDbContextFactory<VarietyContext>>();

    /// <summary>A context over the single database.</summary>
    public VarietyContext Whole() => new(new DbContextOptionsBuilder<VarietyContext>().UseNpgsql(ConnectionTo("all")).Options);

    /// <summary>Creates and fills the databases.</summary>
    public async Task CreateAsync(int seed)
    {
        foreach (var database in _shards.Append("all").Append("coordinator"))
        {
            await cluster.Primary.ExecuteAsync($"CREATE DATABASE {_name}_{database} {createOptions}");
        }

        _services = Services(_ => { });
        _servicesWithFallback = Services(s => s.UseFallbackCoordinator(ConnectionTo("coordinator")));
        await using (var spanning = Sharded.CreateDbContext())
        {
            await spanning.Database.EnsureCreatedAsync();
        }

        await using (var spanning = WithFallback.CreateDbContext())
        {
            await spanning.Database.CreateFallbackCoordinatorAsync();
        }

        await using (var whole = Whole())
        {
            await whole.Database.EnsureCreatedAsync();
        }

        await FillAsync(new VarietyData(new Random(seed)));
    }

    public async ValueTask DisposeAsync()
    {
        if (_services is not null)
        {
            await _services.DisposeAsync();
        }

        if (_servicesWithFallback is not null)
        {
            await _servicesWithFallback.DisposeAsync();
        }
    }

    // The same capabilities as the other tests over shards: for each other choice of them EF builds services of its own, and warns after twenty.
    private ServiceProvider Services(Action<ShardingOptionsBuilder> more) => new ServiceCollection()
        .AddShardedDbContextFactory<VarietyContext>((_, o) => o
            .UseNpgsql()
            .UseSharding(s =>
            {
                Array.ForEach(_shards, shard => s.AddShard(shard, ConnectionTo(shard), r => r.AddReplica(ConnectionTo(shard, cluster.Standbys[0])).DefaultContract(contract)));
                more(s);
            })
            .UseQueryCache(null))
        .BuildServiceProvider();

    private async Task FillAsync(VarietyData data)
    {
        Colour[] colours = [.. Enumerable.Range(1, VarietyData.Colours).Select(id => data.Fill(new Colour { Id = id }))];
        Setting[] settings = [.. Enumerable.Range(1, 6).Select(id => data.Fill(new Setting { Id = id }))];
        var owners = data.MakeOwners();
        foreach (var rows in (IEnumerable<object>[])[colours, settings])
        {
            await using var spanning = Sharded.CreateDbContext();
            spanning.AddRange(rows);
            await spanning.SaveChangesAsync();
        }

        foreach (var group in owners.GroupBy(o => Sharded.ShardOf(ShardKey.Of(o.Id))))
        {
            await using var bound = Sharded.CreateDbContextOnShard(group.Key);
            bound.AddRange(group);
            await bound.SaveChangesAsync();
        }

        await using var whole = Whole();
        whole.AddRange(colours);
        whole.AddRange(settings);
        whole.AddRange(owners);
        await whole.SaveChangesAsync();
    }

    private string ConnectionTo(string database, PostgresServer? server = null) =>
        new NpgsqlConnectionStringBuilder((server ?? cluster.Primary).ConnectionString) { Database = $"{_name}_{database}" }.ConnectionString;
}
