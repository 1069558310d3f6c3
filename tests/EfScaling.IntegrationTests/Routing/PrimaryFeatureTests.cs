using System.Data.Common;
using System.Transactions;
using EfScaling.IntegrationTests.Clusters;
using EfScaling.Routing;
using EfScaling.Testing;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace EfScaling.IntegrationTests.Routing;

/// <summary>Whatever may write, and whatever belongs to a transaction or an open connection, runs on the primary.</summary>
public sealed class PrimaryFeatureTests(ClusterFixture fixture)
{
    [Fact]
    public async Task SaveChanges_with_one_and_with_many_commands_writes_the_primary()
    {
        var blogs = await RoutedBlogs.StartAsync(fixture.Cluster);
        await using var context = blogs.Context();

        context.Notes.Add(new Note { Text = "one" });
        await context.SaveChangesAsync();
        blogs.RanOnPrimary(1);
        Assert.Equal(RoutingReason.NotAQuery, context.Database.LastRouting()!.Value.Reason);

        context.Notes.AddRange(new Note { Text = "two" }, new Note { Text = "three" });
        context.SaveChanges();
        blogs.RanOnPrimary();
    }

    [Fact]
    public async Task Raw_sql_runs_on_the_primary_unless_the_application_vouches_for_it()
    {
        var blogs = await RoutedBlogs.StartAsync(fixture.Cluster);
        await using var context = blogs.Context();

        Assert.Equal(3, (await context.Blogs.FromSql($"SELECT * FROM \"Blogs\"").ToListAsync()).Count);
        blogs.RanOnPrimary(1);
        Assert.Equal(1, await context.Blogs.FromSql($"SELECT * FROM \"Blogs\";").Where(b => b.Id == 1).CountAsync());
        blogs.RanOnPrimary(1);
        Assert.Equal(3, await context.Database.SqlQuery<int>($"SELECT \"Id\" AS \"Value\" FROM \"Blogs\"").CountAsync());
        blogs.RanOnPrimary(1);
        await context.Database.ExecuteSqlAsync($"SELECT 1");
        blogs.RanOnPrimary(1);

        await using var vouching = blogs.Context();
        Assert.Equal(3, (await vouching.Blogs.FromSql($"SELECT * FROM \"Blogs\"").AsReplica().AsNoTracking().ToListAsync()).Count);
        Assert.Equal(1, await vouching.Blogs.FromSql($"SELECT * FROM \"Blogs\"").Where(b => b.Id == 1).AsReplica().CountAsync());
        Assert.Equal([1, 2, 3], await vouching.Database.SqlQuery<int>($"SELECT \"Id\" AS \"Value\" FROM \"Blogs\"").OrderBy(i => i).AsReplica().ToListAsync());
        blogs.RanOnOneReplica(3);
    }

    [Fact]
    public async Task Raw_sql_that_locks_goes_on_to_the_primary_although_the_application_vouched_for_it()
    {
        var blogs = await RoutedBlogs.StartAsync(fixture.Cluster);
        await using var context = blogs.Context();

        Assert.Equal(3, (await context.Blogs.FromSql($"SELECT * FROM \"Blogs\" FOR UPDATE").AsReplica().AsNoTracking().ToListAsync()).Count);

        Assert.Equal(RoutingReason.NeedsPrimary, context.Database.LastRouting()!.Value.Reason);
        Assert.Equal(fixture.Cluster.Primary.Port, blogs.Log.Ports[^1]);
    }

    [Fact]
    public async Task ExecuteUpdate_and_ExecuteDelete_write_the_primary()
    {
        var blogs = await RoutedBlogs.StartAsync(fixture.Cluster);
        await using var context = blogs.Context();
        var note = new Note { Text = "update" };
        context.Notes.Add(note);
        await context.SaveChangesAsync();
        blogs.Log.Clear();

        Assert.Equal(1, await context.Notes.Where(n => n.Id == note.Id).ExecuteUpdateAsync(s => s.SetProperty(n => n.Text, "updated")));
        Assert.Equal(1, context.Notes.AsReplica().Where(n => n.Id == note.Id).ExecuteDelete());

        Assert.DoesNotContain(blogs.Log.Sql, sql => sql.Contains("EfScaling", StringComparison.Ordinal));
        blogs.RanOnPrimary(2);
    }

    [Fact]
    public async Task Functions_not_known_to_only_read_and_tables_replicas_lack_are_read_on_the_primary()
    {
        var blogs = await RoutedBlogs.StartAsync(fixture.Cluster);
        await using var context = blogs.Context();

        Assert.Equal(1, await context.Blogs.CountAsync(b => BlogContext.Doubled(b.Id) == 2));
        Assert.Equal(RoutingReason.UnknownFunction, context.Database.LastRouting()!.Value.Reason);
        Assert.Equal(0, await context.Scratches.CountAsync());
        Assert.Equal(RoutingReason.PrimaryOnlyTable, context.Database.LastRouting()!.Value.Reason);
        Assert.Equal(0, await context.Secrets.CountAsync());
        Assert.Equal(RoutingReason.PrimaryOnlyTable, context.Database.LastRouting()!.Value.Reason);
        blogs.RanOnPrimary(3);

        await using var vouching = blogs.Context();
        Assert.Equal(1, await vouching.Blogs.AsReplica().CountAsync(b => BlogContext.Doubled(b.Id) == 2));
        blogs.RanOnReplicas(1);
    }

    [Fact]
    public async Task Transaction_is_read_where_it_writes_with_savepoints_and_rollback()
    {
        var blogs = await RoutedBlogs.StartAsync(fixture.Cluster);
        await using var context = blogs.Context();
        var marker = Guid.NewGuid().ToString();

        await using (var transaction = await context.Database.BeginTransactionAsync())
        {
            context.Notes.Add(new Note { Text = marker });
            await context.SaveChangesAsync();
            await transaction.CreateSavepointAsync("here");
            context.Notes.Add(new Note { Text = marker });
            await context.SaveChangesAsync();
            Assert.Equal(2, await context.Notes.CountAsync(n => n.Text == marker));
            await transaction.RollbackToSavepointAsync("here");
            Assert.Equal(1, await context.Notes.CountAsync(n => n.Text == marker));
            Assert.Equal(RoutingReason.InTransaction, context.Database.LastRouting()!.Value.Reason);
            await transaction.RollbackAsync();
        }

        blogs.RanOnPrimary();
        Assert.Equal(0, await context.Notes.CountAsync(n => n.Text == marker));
    }

    [Fact]
    public async Task Transaction_of_the_application_is_read_where_it_writes()
    {
        var blogs = await RoutedBlogs.StartAsync(fixture.Cluster);
        await using var connection = new NpgsqlConnection(fixture.Cluster.Primary.ConnectionString);
        await connection.OpenAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using var context = new BlogContext(BlogContext.OptionsOver(connection, fixture.Cluster).Options);
        await context.Database.UseTransactionAsync(transaction);

        context.Notes.Add(new Note { Text = "uncommitted" });
        await context.SaveChangesAsync();

        Assert.Equal(1, await context.Notes.CountAsync(n => n.Text == "uncommitted"));
        Assert.Equal(RoutingReason.InTransaction, context.Database.LastRouting()!.Value.Reason);
        await transaction.RollbackAsync();
    }

    [Fact]
    public async Task TransactionScope_is_read_where_it_writes_and_seen_after_it()
    {
        var blogs = await RoutedBlogs.StartAsync(fixture.Cluster);
        await using var context = blogs.Context();
        var marker = Guid.NewGuid().ToString();

        using (var scope = new TransactionScope(TransactionScopeAsyncFlowOption.Enabled))
        {
            context.Notes.Add(new Note { Text = marker });
            await context.SaveChangesAsync();
            Assert.Equal(1, await context.Notes.CountAsync(n => n.Text == marker));
            Assert.Equal(RoutingReason.InTransaction, context.Database.LastRouting()!.Value.Reason);
            scope.Complete();
        }

        for (var i = 0; i < 20; i++)
        {
            Assert.Equal(1, await context.Notes.CountAsync(n => n.Text == marker));
        }
    }

    [Fact]
    public async Task Connection_can_be_closed_in_a_TransactionScope_that_is_complete()
    {
        var blogs = await RoutedBlogs.StartAsync(fixture.Cluster);
        await using var context = blogs.Context();
        var marker = Guid.NewGuid().ToString();

        using (var scope = new TransactionScope(TransactionScopeAsyncFlowOption.Enabled))
        {
            await context.Database.OpenConnectionAsync();
            context.Notes.Add(new Note { Text = marker });
            await context.SaveChangesAsync();
            scope.Complete();
            await context.Database.CloseConnectionAsync();
        }

        for (var i = 0; i < 20; i++)
        {
            Assert.Equal(1, await context.Notes.CountAsync(n => n.Text == marker));
        }
    }

    [Fact]
    public async Task Open_connection_is_used_until_it_is_closed()
    {
        var blogs = await RoutedBlogs.StartAsync(fixture.Cluster);
        await using var context = blogs.Context();

        await context.Database.OpenConnectionAsync();
        await context.Database.ExecuteSqlAsync($"CREATE TEMP TABLE session_only (id int)");
        Assert.Equal(3, await context.Blogs.CountAsync());
        Assert.Equal(RoutingReason.ConnectionOpen, context.Database.LastRouting()!.Value.Reason);
        blogs.RanOnPrimary(2);
        await context.Database.CloseConnectionAsync();

        await Eventually.ThatAsync(
            async () =>
            {
                await context.Blogs.CountAsync();
                return context.Database.LastRouting()!.Value.Role == NodeRole.Replica;
            },
            TimeSpan.FromSeconds(10),
            "reads leave the primary again");
    }

    [Fact]
    public async Task What_the_application_writes_beside_EF_is_seen_by_later_reads()
    {
        var blogs = await RoutedBlogs.StartAsync(fixture.Cluster);
        foreach (var attempt in Enumerable.Range(0, 10))
        {
            await using var context = blogs.Context();
            await context.Blogs.CountAsync();
            var marker = $"beside {attempt} {Guid.NewGuid()}";
            DbConnection connection = context.Database.GetDbConnection();
            await connection.OpenAsync();
            await using (var command = connection.CreateCommand())
            {
                command.CommandText = $"INSERT INTO \"Notes\" (\"Text\") VALUES ('{marker}')";
                await command.ExecuteNonQueryAsync();
            }

            await connection.CloseAsync();
            Assert.Equal(1, await context.Notes.CountAsync(n => n.Text == marker));
        }
    }

    [Fact]
    public async Task Another_connection_or_connection_string_turns_the_router_off_for_the_context()
    {
        await using var other = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 0 });
        await BlogContext.CreateSchemaAsync(other);
        await other.Primary.ExecuteAsync("UPDATE \"Blogs\" SET \"Name\" = 'elsewhere'");
        var blogs = await RoutedBlogs.StartAsync(fixture.Cluster);

        await using var byString = blogs.Context();
        byString.Database.SetConnectionString(other.Primary.ConnectionString);
        Assert.Equal("elsewhere", await byString.Blogs.Select(b => b.Name).FirstAsync());
        Assert.Equal(RoutingReason.ConnectionChanged, byString.Database.LastRouting()!.Value.Reason);

        await using var byConnection = blogs.Context();
        await using var connection = new NpgsqlConnection(other.Primary.ConnectionString);
        byConnection.Database.SetDbConnection(connection);
        Assert.Equal("elsewhere", await byConnection.Blogs.Select(b => b.Name).FirstAsync());
        Assert.Equal(RoutingReason.ConnectionChanged, byConnection.Database.LastRouting()!.Value.Reason);
    }

    [Fact]
    public async Task Keys_from_a_sequence_are_taken_on_the_primary()
    {
        var blogs = await RoutedBlogs.StartAsync(fixture.Cluster);
        await using var context = blogs.Context();

        context.Add(new Ticket());
        await context.SaveChangesAsync();

        blogs.RanOnPrimary(2);
    }
}
