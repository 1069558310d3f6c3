using EfScaling.IntegrationTests.Clusters;
using EfScaling.Testing;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace EfScaling.IntegrationTests.Routing;

/// <summary>A context sees what it has written, however it wrote it, while its replica lags; and returns to the replica afterwards.</summary>
public sealed class ReadYourWritesTests
{
    private static readonly TimeSpan _deadline = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task Every_kind_of_write_is_seen_by_the_next_read_although_the_replica_lags()
    {
        await using var cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 1 });
        await BlogContext.CreateSchemaAsync(cluster);
        await cluster.Standbys[0].SetApplyDelayAsync(TimeSpan.FromMilliseconds(400));
        var blogs = await RoutedBlogs.StartAsync(cluster);

        await SeenAsync(blogs, "SaveChanges", async (context, marker) =>
        {
            context.Notes.Add(new Note { Text = marker });
            await context.SaveChangesAsync();
        });
        await SeenAsync(blogs, "SaveChanges of several rows", async (context, marker) =>
        {
            context.Notes.AddRange(new Note { Text = marker }, new Note { Text = "other" });
            await context.SaveChangesAsync();
        });
        await SeenAsync(blogs, "ExecuteSql", async (context, marker) => await context.Database.ExecuteSqlAsync($"INSERT INTO \"Notes\" (\"Text\") VALUES ({marker})"));
        await SeenAsync(blogs, "ExecuteUpdate", async (context, marker) =>
        {
            var id = await cluster.Primary.ScalarAsync<int>("INSERT INTO \"Notes\" (\"Text\") VALUES ('to be updated') RETURNING \"Id\"");
            await context.Notes.Where(n => n.Id == id).ExecuteUpdateAsync(s => s.SetProperty(n => n.Text, marker));
        });
        await SeenAsync(blogs, "a transaction", async (context, marker) =>
        {
            await using var transaction = await context.Database.BeginTransactionAsync();
            context.Notes.Add(new Note { Text = marker });
            await context.SaveChangesAsync();
            await transaction.CommitAsync();
        });
        await SeenAsync(blogs, "raw SQL that looks like a query", async (context, marker) =>
            await context.Database.SqlQuery<int>($"INSERT INTO \"Notes\" (\"Text\") VALUES ({marker}) RETURNING \"Id\" AS \"Value\"").ToListAsync());
        await SeenAsync(blogs, "ADO.NET beside EF, before EF did anything", async (context, marker) =>
        {
            var connection = (NpgsqlConnection)context.Database.GetDbConnection();
            await connection.OpenAsync();
            await using var command = new NpgsqlCommand("INSERT INTO \"Notes\" (\"Text\") VALUES ($1)", connection) { Parameters = { new() { Value = marker } } };
            await command.ExecuteNonQueryAsync();
            await connection.CloseAsync();
        });
    }

    [Fact]
    public async Task Database_that_the_context_creates_is_seen_by_its_next_read()
    {
        await using var cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 1 });
        var options = new DbContextOptionsBuilder<BlogContext>()
            .UseNpgsql(cluster.Primary.GetConnectionString("fresh"))
            .UseReadReplicas(r => r.AddReplica(cluster.Standbys[0].GetConnectionString("fresh")))
            .Options;
        await using var context = new BlogContext(options);

        await context.Database.EnsureCreatedAsync();
        context.Notes.Add(new Note { Text = "first" });
        await context.SaveChangesAsync();

        Assert.Equal("first", (await context.Notes.SingleAsync()).Text);
        await context.Database.EnsureDeletedAsync();
    }

    private static async Task SeenAsync(RoutedBlogs blogs, string how, Func<BlogContext, string, Task> write)
    {
        await using var context = blogs.Context();
        var marker = $"{how} {Guid.NewGuid()}";
        await write(context, marker);

        await Eventually.ThatAsync(
            async () =>
            {
                Assert.True(await context.Notes.AsNoTracking().AnyAsync(n => n.Text == marker), $"What {how} wrote was not seen by {context.Database.LastRouting()}.");
                return context.Database.LastRouting()!.Value.Role == NodeRole.Replica;
            },
            _deadline,
            $"the context returns to its replica after {how}");
    }
}
