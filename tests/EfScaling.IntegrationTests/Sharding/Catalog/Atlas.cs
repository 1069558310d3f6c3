using EfScaling.IntegrationTests.Clusters;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using EfScaling.Sharding.Catalog;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace EfScaling.IntegrationTests.Sharding.Catalog;

/// <summary>An atlas over three shards and a catalog with three maps, none of which has buckets.</summary>
public sealed class Atlas(ClusterFixture fixture) : IAsyncLifetime
{
    public const int RowsOfEach = 8;

    private static readonly string[] _shards = ["north", "south", "west"];

    private readonly string _name = $"atlas_{Guid.NewGuid():N}";
    private readonly List<ServiceProvider> _processes = [];
    private int _interval = 3_600;

    /// <summary>The rows of all three maps.</summary>
    public static IReadOnlyList<AtlasRow> Rows { get; } =
    [
        .. Enumerable.Range(0, RowsOfEach).Select(i => (long)i * 150)
            .Select(id => new AtlasRow(AtlasContext.Events, ShardKey.Of(id), () => new Happening { Id = id }, c => c.Set<Happening>().Where(e => e.Id == id))),
        .. Enumerable.Range(0, RowsOfEach).Select(_ => Guid.NewGuid())
            .Select(id => new AtlasRow(AtlasContext.Profiles, ShardKey.Of(id), () => new Profile { Id = id }, c => c.Set<Profile>().Where(p => p.Id == id))),
        .. Enumerable.Range(0, RowsOfEach).Select(i => $"{(i % 2 == 0 ? "eu" : "us")}/{i}")
            .Select(id => new AtlasRow(AtlasContext.Places, ShardKey.Of(id), () => new Place { Id = id }, c => c.Set<Place>().Where(p => p.Id == id))),
    ];

    /// <summary>The rows of one map.</summary>
    public static IEnumerable<AtlasRow> RowsOf(string map) => Rows.Where(r => r.Map == map);

    /// <summary>A process that changes maps.</summary>
    public ShardedDbContextFactory<AtlasContext> Changing { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        foreach (var database in _shards.Append("catalog"))
        {
            await fixture.Cluster.Primary.ExecuteAsync($"CREATE DATABASE {_name}_{database}");
        }

        Changing = Process();
        foreach (var result in await Changing.ForEachShardAsync((c, token) => c.Database.EnsureCreatedAsync(token)))
        {
            Assert.Null(result.Failure);
        }

        await using var context = Changing.CreateDbContext();
        await context.Database.CreateShardCatalogAsync();
        foreach (var row in Rows)
        {
            context.Add(row.Create());
            await context.SaveChangesAsync();
        }
    }

    /// <summary>Starts a process that hears of changes only from the shards that refuse it.</summary>
    public ShardedDbContextFactory<AtlasContext> Process()
    {
        var interval = TimeSpan.FromSeconds(_interval++);
        var services = new ServiceCollection()
            .AddShardedDbContextFactory<AtlasContext>((_, o) => o
                .UseNpgsql()
                .UseSharding(s =>
                {
                    s.UseCatalog(ConnectionTo("catalog"), c => c.WithoutNotifications().PollInterval(interval));
                    Array.ForEach(_shards, shard => s.AddShard(shard, ConnectionTo(shard)));
                    s.UseMap(names => new RangeShardMap([new ShardRange(null, ShardKey.Of(600L), names[0]), new ShardRange(ShardKey.Of(600L), null, names[1])]), AtlasContext.Events);
                    s.UseMap(names => new RingShardMap(names.Take(2)), AtlasContext.Profiles);
                    s.UseMap(
                        names => new GeographicShardMap([new("eu", [names[0]]), new("us", [names[1], names[2]])], separator: '/'), AtlasContext.Places);
                })
                .UseQueryCache())
            .BuildServiceProvider();
        _processes.Add(services);
        return services.GetRequiredService<ShardedDbContextFactory<AtlasContext>>();
    }

    /// <summary>The map that is to follow the present one of a name: rows of every kind have another shard in it, and an odd number of changes makes another one than an even number.</summary>
    public ShardMap Next(string name)
    {
        using var context = Changing.CreateDbContext();
        var present = context.Database.GetShardMap(name);
        var (version, isFirst) = (present.Version + 1, present.Version % 2 == 1);
        return name switch
        {
            AtlasContext.Events when isFirst => new RangeShardMap(
                [new(null, ShardKey.Of(300L), "north"), new(ShardKey.Of(300L), ShardKey.Of(900L), "west"), new(ShardKey.Of(900L), null, "south")], version),
            AtlasContext.Events => new RangeShardMap([new(null, ShardKey.Of(600L), "north"), new(ShardKey.Of(600L), null, "south")], version),
            AtlasContext.Profiles when isFirst => ((RingShardMap)present).WithShard("west"),
            AtlasContext.Profiles => new RingShardMap(["north", "south"], version: version),
            _ when isFirst => new GeographicShardMap([new("eu", ["west"]), new("us", ["north", "south"])], separator: '/', version: version),
            _ => new GeographicShardMap([new("eu", ["north"]), new("us", ["south", "west"])], separator: '/', version: version),
        };
    }

    /// <summary>Changes a map, and moves its rows.</summary>
    public async Task ChangeAsync(string name, Func<ShardMapChange, CancellationToken, Task>? whileFenced = null)
    {
        await using var context = Changing.CreateDbContext();
        await context.Database.ChangeShardMapAsync(
            Next(name),
            async (change, token) =>
            {
                await (whileFenced?.Invoke(change, token) ?? Task.CompletedTask);
                await MoveRowsAsync(change, token);
            },
            name);
    }

    /// <summary>Moves the rows of a change; can be done again.</summary>
    public static async Task MoveRowsAsync(ShardMapChange change, CancellationToken cancellationToken)
    {
        foreach (var from in change.Shards)
        {
            await using var source = await change.OpenConnectionAsync(from, cancellationToken);
            var found = new List<(object Id, int Count)>();
            await using (var reader = await new NpgsqlCommand($"SELECT id, count FROM {change.Name}", source).ExecuteReaderAsync(cancellationToken))
            {
                while (await reader.ReadAsync(cancellationToken))
                {
                    found.Add((reader.GetValue(0), reader.GetInt32(1)));
                }
            }

            foreach (var (id, count) in found)
            {
                var to = change.To.ShardOf(KeyOf(id));
                if (to == from)
                {
                    continue;
                }

                await using (var target = await change.OpenConnectionAsync(to, cancellationToken))
                {
                    await ExecuteAsync(target, $"INSERT INTO {change.Name} (id, count) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET count = excluded.count", id, count);
                }

                await ExecuteAsync(source, $"DELETE FROM {change.Name} WHERE id = $1", id);
            }
        }

        static ShardKey KeyOf(object id) => id switch { long number => ShardKey.Of(number), Guid guid => ShardKey.Of(guid), _ => ShardKey.Of((string)id) };

        async Task ExecuteAsync(NpgsqlConnection connection, string sql, params object[] values)
        {
            await using var command = new NpgsqlCommand(sql, connection);
            command.Parameters.AddRange(values.Select(v => new NpgsqlParameter { Value = v }).ToArray());
            await command.ExecuteNonQueryAsync(cancellationToken);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _processes)
        {
            await process.DisposeAsync();
        }
    }

    private string ConnectionTo(string database) =>
        new NpgsqlConnectionStringBuilder(fixture.Cluster.Primary.ConnectionString) { Database = $"{_name}_{database}" }.ConnectionString;
}
