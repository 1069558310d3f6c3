using EfScaling.IntegrationTests.Clusters;
using EfScaling.Routing;
using EfScaling.Routing.Scatter;
using EfScaling.Routing.Shards;
using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace EfScaling.IntegrationTests.Sharding.Scatter;

/// <summary>The fallback coordinator has whatever the model needs of a database, under any names.</summary>
public sealed class FallbackModelTests(ClusterFixture fixture) : IAsyncLifetime
{
    private const int Count = 30;

    // Their names in the coordinator are longer than PostgreSQL allows, or could be taken for those of others.
    private static readonly string[] _shards = ["a:b", $"a \"quoted\" shard {new string('é', 40)}", $"a \"quoted\" shard {new string('é', 41)}"];

    private readonly string _name = $"creatures_{Guid.NewGuid():N}";
    private ServiceProvider? _services;

    private ShardedDbContextFactory<CreatureContext> Factory => _services!.GetRequiredService<ShardedDbContextFactory<CreatureContext>>();

    public async ValueTask InitializeAsync()
    {
        foreach (var database in (string[])["0", "1", "2", "all", "coordinator"])
        {
            await fixture.Cluster.Primary.ExecuteAsync($"CREATE DATABASE {_name}_{database}");
        }

        _services = new ServiceCollection()
            .AddShardedDbContextFactory<CreatureContext>((_, o) => Mapped(o).UseSharding(s =>
            {
                for (var i = 0; i < _shards.Length; i++)
                {
                    s.AddShard(_shards[i], ConnectionTo($"{i}"), r => r.AddReplica(new NpgsqlConnectionStringBuilder(fixture.Cluster.Standbys[0].ConnectionString) { Database = $"{_name}_{i}" }.ConnectionString));
                }

                s.UseFallbackCoordinator(ConnectionTo("coordinator"));
            }))
            .BuildServiceProvider();
        await using var spanning = Factory.CreateDbContext();
        Assert.True(await spanning.Database.EnsureCreatedAsync());
        await using (var whole = Whole())
        {
            await whole.Database.EnsureCreatedAsync();
        }

        foreach (var database in (string[])["0", "1", "2", "all"])
        {
            await ExecuteAsync(database, """CREATE VIEW "zoo ""of"" all"."creature names" AS SELECT "Id", upper("Name") AS "Name" FROM "zoo ""of"" all"."creatures of all kinds, whatever they are" """);
        }

        for (var id = 1; id <= Count; id++)
        {
            foreach (var create in new Func<CreatureContext>[] { () => Factory.CreateDbContext(), Whole })
            {
                await using var context = create();
                if (id % 10 == 1)
                {
                    context.Add(new Habitat { Id = id / 10, Name = $"habitat {id}" });
                    await context.SaveChangesAsync();
                }

                context.Add(new Creature { Id = id, Name = $"c{id % 7}", Nick = $"N{id % 5}", Loose = id % 2 == 0 ? "Even" : "ODD", Temper = (Temper)(id % 2), HabitatId = id % 4 });
                await context.SaveChangesAsync();
            }
        }

        await spanning.Database.CreateFallbackCoordinatorAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_services is not null)
        {
            await _services.DisposeAsync();
        }
    }

    [Fact]
    public async Task Enums_extensions_collations_schemas_and_views_are_those_of_the_shards()
    {
        await SameAsync(c => c.Creatures.Join(c.Creatures, a => a.Id, b => b.Id + 1, (a, b) => new { a, b.Temper, b.Loose }).Where(x => x.Loose == "odd" && x.Temper == Temper.Wild).OrderBy(x => x.a.Id).Select(x => new { x.a.Name, x.a.Temper, x.a.Length, x.Loose }));
        await SameAsync(c => c.Habitats.LeftJoin(c.Creatures, h => h.Id, x => x.HabitatId, (h, x) => new { h.Name, Nick = x!.Nick }).OrderBy(x => x.Name).ThenBy(x => x.Nick));
        await SameAsync(c => c.Names.Join(c.Creatures, n => n.Id, x => x.Id + 2, (n, x) => new { n.Name, x.Nick }).OrderBy(x => x.Name).ThenBy(x => x.Nick));

        // A text of two collations.
        await SameAsync(c => c.Creatures.Select(x => new { x.Id, Text = EF.Functions.Collate(x.Nick, "POSIX") }).Concat(c.Creatures.Select(x => new { Id = x.Id + 1000, Text = x.Name })).GroupBy(x => x.Id % 3).Select(g => new { g.Key, All = string.Join(",", g.OrderBy(x => x.Id).Select(x => x.Text)) }).OrderBy(x => x.Key), ScatterRule.UnknownType);

        // Not one column more than the table has, and in its order.
        await SameAsync(c => c.Database.SqlQueryRaw<string>("""SELECT (SELECT string_agg(k, ',' ORDER BY k) FROM jsonb_object_keys(to_jsonb(x)) AS k) AS "Value" FROM "zoo ""of"" all"."creatures of all kinds, whatever they are" AS x WHERE "Id" = 1"""), ScatterRule.NotUnderstood);
    }

    [Fact]
    public async Task Types_stay_the_same_until_the_model_needs_others()
    {
        await using var context = Factory.CreateDbContext();
        var before = await TypeAsync();
        await context.Database.CreateFallbackCoordinatorAsync();
        Assert.Equal(before, await TypeAsync());
        await ExecuteAsync("coordinator", "COMMENT ON TYPE temper IS 'EfScaling fallback coordinator of another model'");
        await context.Database.CreateFallbackCoordinatorAsync();
        Assert.NotEqual(before, await TypeAsync());
        await Enums_extensions_collations_schemas_and_views_are_those_of_the_shards();
    }

    [Fact]
    public async Task A_shard_that_orders_an_enum_in_another_way_is_named()
    {
        await ExecuteAsync("2", "ALTER TYPE temper ADD VALUE 'odd' BEFORE 'wild'");
        await using var context = Factory.CreateDbContext();
        var refusal = await Assert.ThrowsAsync<InvalidOperationException>(() => context.Database.CreateFallbackCoordinatorAsync());
        Assert.Contains($"in another way than shard '{_shards[2]}': its enum public.temper is 'calm, wild', and that of the shard 'calm, odd, wild'. Nothing is changed there.", refusal.Message, StringComparison.Ordinal);
        await Enums_extensions_collations_schemas_and_views_are_those_of_the_shards();
    }

    [Fact]
    public async Task A_shard_that_lacks_a_table_is_named()
    {
        await ExecuteAsync("1", """DROP VIEW "zoo ""of"" all"."creature names" """);
        await using var context = Factory.CreateDbContext();
        var refusal = await Assert.ThrowsAsync<InvalidOperationException>(() => context.Database.CreateFallbackCoordinatorAsync());
        Assert.StartsWith($"CreateFallbackCoordinatorAsync was called, and shard '{_shards[1]}' lacks \"zoo \"\"of\"\" all\".\"creature names\" of the model.", refusal.Message, StringComparison.Ordinal);
    }

    private async Task SameAsync<T>(Func<CreatureContext, IQueryable<T>> query, ScatterRule? rule = null)
    {
        await using var whole = Whole();
        await using var spanning = Factory.CreateDbContext();
        var expected = await query(whole).ToListAsync();
        Assert.NotEmpty(expected);
        Assert.Equal(expected, await query(spanning).ToListAsync());
        Assert.Equal(RoutingReason.FallbackCoordinator, spanning.Database.LastRouting()!.Value.Reason);
        Assert.Contains($"the rule {rule}", query(spanning).ToRoutingString(), StringComparison.Ordinal);
    }

    private Task<uint> TypeAsync() => ReadAsync<uint>("coordinator", "SELECT 'temper'::regtype::oid");

    private CreatureContext Whole() => new(Mapped(new DbContextOptionsBuilder<CreatureContext>(), ConnectionTo("all")).Options);

    private static TBuilder Mapped<TBuilder>(TBuilder options, string? connectionString = null)
        where TBuilder : DbContextOptionsBuilder
    {
        options.UseNpgsql(connectionString, n => n.MapEnum<Temper>());
        return options;
    }

    private async Task ExecuteAsync(string database, string sql)
    {
        await using var source = NpgsqlDataSource.Create(ConnectionTo(database));
        await using var command = source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    private async Task<T> ReadAsync<T>(string database, string sql)
    {
        await using var source = NpgsqlDataSource.Create(ConnectionTo(database));
        await using var command = source.CreateCommand(sql);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    private string ConnectionTo(string database) => fixture.Cluster.Primary.GetConnectionString($"{_name}_{database}");
}
