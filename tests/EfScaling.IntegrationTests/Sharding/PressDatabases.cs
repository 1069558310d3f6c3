using EfScaling.Caching;
using EfScaling.Consistency;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace EfScaling.IntegrationTests.Sharding;

/// <summary>The press spread over three databases, and the same rows in one.</summary>
public sealed class PressDatabases(ClusterFixture fixture) : IAsyncLifetime
{
    private static readonly string[] _shards = ["first", "second", "third"];

    private readonly string _name = $"press_{Guid.NewGuid():N}";
    private ServiceProvider? _services;

    /// <summary>Contexts over the shards.</summary>
    public ShardedDbContextFactory<PressContext> Sharded => _services!.GetRequiredService<ShardedDbContextFactory<PressContext>>();

    /// <summary>The authors, two on each shard at least.</summary>
    public List<Author> Authors { get; } = [];

    /// <summary>A context over the single database.</summary>
    public PressContext Whole() => new(new DbContextOptionsBuilder<PressContext>().UseNpgsql(ConnectionTo("all")).Options);

    /// <summary>The shard of an author.</summary>
    public string ShardOf(Author author) => Sharded.ShardOf(ShardKey.Of(author.Id));

    /// <summary>Two authors that do not live together.</summary>
    public (Author One, Author Other) TwoOfDifferentShards() => (Authors[0], Authors.First(a => ShardOf(a) != ShardOf(Authors[0])));

    public async ValueTask InitializeAsync()
    {
        foreach (var database in _shards.Append("all"))
        {
            await fixture.Cluster.Primary.ExecuteAsync($"CREATE DATABASE {_name}_{database}");
        }

        _services = new ServiceCollection().AddShardedDbContextFactory<PressContext>((_, o) => Configure(o)).BuildServiceProvider();
        foreach (var result in await Sharded.ForEachShardAsync((c, token) => c.Database.EnsureCreatedAsync(token)))
        {
            Assert.Null(result.Failure);
        }

        await using (var context = Sharded.CreateDbContext())
        {
            await context.Database.EnsureShardTransactionsCreatedAsync();
        }

        await using var whole = Whole();
        await whole.Database.EnsureCreatedAsync();
        await FillAsync(whole);
    }

    /// <summary>Configures a context over the shards, with the capabilities of <see cref="ShopDatabases"/>.</summary>
    public DbContextOptionsBuilder Configure(DbContextOptionsBuilder options, Action<ShardingOptionsBuilder>? more = null, Action<QueryCacheOptionsBuilder>? cache = null, ReadContract contract = ReadContract.Primary) => options
        .UseNpgsql()
        .UseSharding(s =>
        {
            Array.ForEach(_shards, shard => s.AddShard(shard, ConnectionTo(shard), r => r.AddReplica(ConnectionTo(shard, fixture.Cluster.Standbys[0])).DefaultContract(contract)));
            more?.Invoke(s);
        })
        .UseQueryCache(cache);

    public string ConnectionTo(string database, PostgresServer? server = null) =>
        new NpgsqlConnectionStringBuilder((server ?? fixture.Cluster.Primary).ConnectionString) { Database = $"{_name}_{database}" }.ConnectionString;

    public async ValueTask DisposeAsync()
    {
        if (_services is not null)
        {
            await _services.DisposeAsync();
        }
    }

    private async Task FillAsync(PressContext whole)
    {
        for (var number = 0; number < 12; number++)
        {
            var author = new Author { Name = $"author {number % 5}" };
            for (var i = 0; i < 3; i++)
            {
                var article = new Article { Title = $"title {i}", Summary = new Summary { Text = $"summary {i}" }, IsDeleted = i == 2, Notes = { new Note { Number = 1, Text = "note" }, new Note { Number = 2, Text = "more" } } };
                article.Comments.Add(new Comment { AuthorId = Guid.Empty, Text = "well said" });
                article.Comments.Add(new Comment { AuthorId = Guid.Empty, Text = "not so" });
                author.Articles.Add(article);
            }

            await using (var context = Sharded.CreateDbContext())
            {
                // Articles get the key of their author from there; comments are told, before their ids are made.
                author.Id = Guid.CreateVersion7();
                author.Articles.SelectMany(a => a.Comments).ToList().ForEach(c => c.AuthorId = author.Id);
                await context.AddAsync(author);
                Assert.Equal(1 + 3 + 6 + 6, await context.SaveChangesAsync());
            }

            whole.Add(author);
            for (var seat = 1; seat <= 2; seat++)
            {
                await using var context = Sharded.CreateDbContext();
                var there = new Seat { Region = (Region)seat, Room = new RoomId(number), Number = number, Neighbour = number % 2 == 0 ? number : null, Label = $"seat {number}" };
                context.Add(there);
                await context.SaveChangesAsync();
                whole.Add(there);
            }

            await whole.SaveChangesAsync();
            whole.ChangeTracker.Clear();
            Authors.Add(author);
        }

        Assert.Equal(_shards.Length, Authors.Select(ShardOf).Distinct().Count());
    }
}
