using System.Transactions;
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
        await using var cluster = await LaggingAsync();
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
        await SeenAsync(blogs, "a TransactionScope with nothing but SaveChanges in it", async (context, marker) =>
        {
            using var scope = new TransactionScope(TransactionScopeAsyncFlowOption.Enabled);
            context.Notes.Add(new Note { Text = marker });
            await context.SaveChangesAsync();

            // Long enough for a probe between the end of the command and the end of the transaction.
            await cluster.Primary.ExecuteAsync("SELECT pg_sleep(0.6)");
            scope.Complete();
        });
        await SeenAsync(blogs, "ADO.NET beside EF in a TransactionScope, closed when that was complete", async (context, marker) =>
        {
            using var scope = new TransactionScope(TransactionScopeAsyncFlowOption.Enabled);
            var connection = (NpgsqlConnection)context.Database.GetDbConnection();
            await connection.OpenAsync();
            await using (var command = new NpgsqlCommand("INSERT INTO \"Notes\" (\"Text\") VALUES ($1)", connection) { Parameters = { new() { Value = marker } } })
            {
                await command.ExecuteNonQueryAsync();
            }

            await cluster.Primary.ExecuteAsync("SELECT pg_sleep(0.6)");
            scope.Complete();
            await connection.CloseAsync();
        });
        await SeenAsync(blogs, "a query that the application wrongly vouched for", async (context, marker) =>
            await context.Notes.FromSql($"INSERT INTO \"Notes\" (\"Text\") VALUES ({marker}) RETURNING *, xmin").AsReplica().AsNoTracking().ToListAsync());
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
    public async Task Writes_over_a_connection_of_the_application_are_seen()
    {
        await using var cluster = await LaggingAsync();
        await using var connection = new NpgsqlConnection(cluster.Primary.ConnectionString);
        var options = BlogContext.OptionsOver(connection, cluster).Options;
        await Eventually.ThatAsync(
            async () =>
            {
                await using var context = new BlogContext(options);
                await context.Blogs.CountAsync();

                // What the application did on its connection before is unknown, so the first read is the primary's.
                Assert.Equal(NodeRole.Primary, context.Database.LastRouting()!.Value.Role);
                await cluster.Primary.ExecuteAsync("SELECT pg_sleep(1.5)");
                await context.Blogs.CountAsync();
                return context.Database.LastRouting()!.Value.Role == NodeRole.Replica;
            },
            _deadline,
            "a replica serves");

        for (var i = 0; i < 5; i++)
        {
            await using var context = new BlogContext(options);
            var marker = $"{Guid.NewGuid()}";
            context.Notes.Add(new Note { Text = marker });
            await context.SaveChangesAsync();
            Assert.True(await context.Notes.AnyAsync(n => n.Text == marker));
        }
    }

    [Fact]
    public async Task Writes_inside_a_loop_over_a_buffered_query_are_seen_by_the_reads_in_it()
    {
        await using var cluster = await LaggingAsync();
        var blogs = await RoutedBlogs.StartAsync(cluster, also: o => o.UseNpgsql(n => n.EnableRetryOnFailure()));
        await using var context = blogs.Context();

        foreach (var blog in context.Blogs.AsNoTracking())
        {
            var marker = $"{blog.Name} {Guid.NewGuid()}";
            context.Notes.Add(new Note { Text = marker });
            await context.SaveChangesAsync();
            Assert.True(await context.Notes.AnyAsync(n => n.Text == marker), $"Not seen by {context.Database.LastRouting()}.");
        }
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

    private static async Task<PostgresCluster> LaggingAsync()
    {
        var cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 1 });
        await BlogContext.CreateSchemaAsync(cluster);
        await cluster.Standbys[0].SetApplyDelayAsync(TimeSpan.FromMilliseconds(400));
        return cluster;
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
