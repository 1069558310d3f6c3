using EfScaling.Consistency;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <summary>The same words in one database, and spread over four.</summary>
public sealed class WordsDatabases(ClusterFixture fixture) : IAsyncLifetime
{
    private static readonly string[] _shards = ["north", "east", "south", "west"];
    private static readonly string[] _texts = ["a", "B", "b", "A", "c", "C", "Z", "z", "\u00e9"];
    private static readonly string?[] _padded = ["abcd", "abce", "a", "ab", null, "wxyz", "wx"];

    private readonly string _name = $"words_{Guid.NewGuid():N}";
    private ServiceProvider? _services;

    /// <summary>Contexts over the shards.</summary>
    public ShardedDbContextFactory<WordsContext> Sharded => _services!.GetRequiredService<ShardedDbContextFactory<WordsContext>>();

    /// <summary>A context over the single database.</summary>
    public WordsContext Whole() => new(new DbContextOptionsBuilder<WordsContext>().UseNpgsql(ConnectionTo("all")).Options);

    /// <summary>Services with contexts over the shards.</summary>
    /// <param name="south">What sessions of the shard "south" are told when they begin, as <c>-c DateStyle=German</c>.</param>
    public ServiceProvider Services(string? south = null) => new ServiceCollection()
        .AddShardedDbContextFactory<WordsContext>((_, o) => o
            .UseNpgsql()
            .UseSharding(s => Array.ForEach(
                _shards,
                shard =>
                {
                    var options = shard == "south" ? south : null;
                    s.AddShard(shard, ConnectionTo(shard, options: options), r => r.AddReplica(ConnectionTo(shard, fixture.Cluster.Standbys[0], options)).DefaultContract(ReadContract.Primary));
                }))
            .UseQueryCache(null))
        .BuildServiceProvider();

    public async ValueTask InitializeAsync()
    {
        // By bytes where no collation is named.
        await using var whole = Whole();
        var script = whole.Database.GenerateCreateScript();
        foreach (var database in _shards.Append("all"))
        {
            await fixture.Cluster.Primary.ExecuteAsync($"CREATE DATABASE {_name}_{database} TEMPLATE template0 LOCALE 'C'");

            // Connections learn of the database's types when the first one opens.
            await using var connection = new NpgsqlConnection($"{ConnectionTo(database)};Pooling=false");
            await connection.OpenAsync();
            await using var tables = new NpgsqlCommand(script, connection);
            await tables.ExecuteNonQueryAsync();
        }

        _services = Services();
        var words = Enumerable.Range(1, 30).Select(id => new Word
        {
            Id = id, Padded = _padded[id % 7], Limited = _texts[id % 9], AnyCase = _texts[id * 5 % 9], Spelling = { Text = _texts[id * 2 % 9] },
            Day = new DateOnly(2020, 1, id), Span = TimeSpan.FromMinutes(-id), Share = id / 7.0,
        }).ToList();
        foreach (var group in words.GroupBy(w => Sharded.ShardOf(ShardKey.Of(w.Id))))
        {
            await using var bound = Sharded.CreateDbContextOnShard(group.Key);
            bound.AddRange(group);
            await bound.SaveChangesAsync();
        }

        whole.AddRange(words);
        await using var spanning = Sharded.CreateDbContext();
        foreach (var context in (WordsContext[])[spanning, whole])
        {
            context.AddRange(Enumerable.Range(1, 6).Select(id => new Setting { Id = id }));
            await context.SaveChangesAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_services is not null)
        {
            await _services.DisposeAsync();
        }
    }

    private string ConnectionTo(string database, PostgresServer? server = null, string? options = null) =>
        new NpgsqlConnectionStringBuilder((server ?? fixture.Cluster.Primary).ConnectionString) { Database = $"{_name}_{database}", Options = options }.ConnectionString;
}
