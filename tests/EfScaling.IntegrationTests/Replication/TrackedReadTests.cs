using EfScaling.IntegrationTests.Clusters;
using EfScaling.Replication;
using EfScaling.Routing;
using EfScaling.Testing;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Migrations;

namespace EfScaling.IntegrationTests.Replication;

/// <summary>A change that is based on a stale read never overwrites a newer row, and the protection costs the application nothing else.</summary>
public sealed class TrackedReadTests(ClusterFixture fixture)
{
    [Fact]
    public async Task Change_based_on_a_stale_read_is_refused_and_can_be_repeated_on_fresh_data()
    {
        await using var cluster = await PostgresCluster.StartAsync(new PostgresClusterOptions { Standbys = 1 });
        await BlogContext.CreateSchemaAsync(cluster);
        var blogs = await RoutedBlogs.StartAsync(cluster, r => r.MaxStaleness(TimeSpan.FromMinutes(1)));
        await cluster.Standbys[0].PauseReplayAsync();
        await cluster.Primary.ExecuteAsync("UPDATE \"Blogs\" SET \"Name\" = 'newer' WHERE \"Id\" = 1");

        await using var context = blogs.Context();
        var blog = await context.Blogs.SingleAsync(b => b.Id == 1);
        Assert.Equal("blog 1", blog.Name);
        Assert.Equal(NodeRole.Replica, context.Database.LastRouting()!.Value.Role);
        blog.Name = "based on stale data";
        var conflict = await Assert.ThrowsAsync<DbUpdateConcurrencyException>(() => context.SaveChangesAsync());

        // Resolving the conflict must not read the stale replica again, or it would never end.
        await context.Entry(blog).ReloadAsync();
        Assert.Equal("newer", blog.Name);
        Assert.Equal(RoutingReason.ReadYourWrites, context.Database.LastRouting()!.Value.Reason);
        blog.Name = "newest";
        await context.SaveChangesAsync();
        Assert.Equal("newest", await cluster.Primary.ScalarAsync<string>("SELECT \"Name\" FROM \"Blogs\" WHERE \"Id\" = 1"));
    }

    [Fact]
    public async Task Entities_that_were_attached_and_not_read_are_updated_and_deleted_as_without_protection()
    {
        var blogs = await RoutedBlogs.StartAsync(fixture.Cluster);
        await using var writing = blogs.Context();
        var (kept, gone) = (new Note { Text = "kept" }, new Note { Text = "gone" });
        writing.AddRange(kept, gone);
        await writing.SaveChangesAsync();

        await using var context = blogs.Context();
        context.Update(new Note { Id = kept.Id, Text = "overwritten" });
        context.Remove(new Note { Id = gone.Id, Text = "" });
        Assert.Equal(2, await context.SaveChangesAsync());

        Assert.Equal("overwritten", (await context.Notes.AsNoTracking().SingleAsync(n => n.Id == kept.Id)).Text);
        Assert.False(await context.Notes.AnyAsync(n => n.Id == gone.Id));
    }

    [Fact]
    public async Task Entity_can_be_saved_again_and_again()
    {
        var blogs = await RoutedBlogs.StartAsync(fixture.Cluster);
        await using var context = blogs.Context();
        var note = new Note { Text = "0" };
        context.Add(note);
        foreach (var version in Enumerable.Range(1, 5))
        {
            await context.SaveChangesAsync();
            note.Text = $"{version}";
        }

        await context.SaveChangesAsync();
        context.Remove(note);
        Assert.Equal(1, await context.SaveChangesAsync());
    }

    [Fact]
    public async Task Rows_of_partitioned_tables_are_inserted_and_updated()
    {
        await fixture.Cluster.Primary.ExecuteAsync(
            """
            DROP TABLE IF EXISTS "Measures";
            CREATE TABLE "Measures" ("Id" int PRIMARY KEY, "Value" int NOT NULL) PARTITION BY RANGE ("Id");
            CREATE TABLE measures_low PARTITION OF "Measures" FOR VALUES FROM (0) TO (1000);
            """);
        await fixture.Cluster.WaitForReplicationAsync();
        var options = new DbContextOptionsBuilder<MeasureContext>()
            .UseNpgsql(fixture.Cluster.Primary.ConnectionString)
            .UseReadReplicas(r => r.AddReplica(fixture.Cluster.Standbys[0].ConnectionString))
            .Options;
        await using var context = new MeasureContext(options);

        context.Add(new Measure { Id = 1, Value = 1, Detail = new MeasureDetail { Id = 1 } });
        await context.SaveChangesAsync();
        await using var later = new MeasureContext(options);
        (await later.Measures.AsPrimary().SingleAsync()).Value = 2;
        await later.SaveChangesAsync();

        Assert.Equal(2, await fixture.Cluster.Primary.ScalarAsync<int>("SELECT \"Value\" FROM \"Measures\""));
    }

    [Fact]
    public async Task Entities_that_share_a_table_are_attached_and_updated()
    {
        await fixture.Cluster.Primary.ExecuteAsync("DROP TABLE IF EXISTS \"Measures\"; CREATE TABLE \"Measures\" (\"Id\" int PRIMARY KEY, \"Value\" int NOT NULL); INSERT INTO \"Measures\" VALUES (7, 7)");
        var options = new DbContextOptionsBuilder<MeasureContext>()
            .UseNpgsql(fixture.Cluster.Primary.ConnectionString)
            .UseReadReplicas(r => r.AddReplica(fixture.Cluster.Standbys[0].ConnectionString))
            .Options;
        await using var context = new MeasureContext(options);

        context.Update(new Measure { Id = 7, Value = 8, Detail = new MeasureDetail { Id = 7 } });
        await context.SaveChangesAsync();

        Assert.Equal(8, await fixture.Cluster.Primary.ScalarAsync<int>("SELECT \"Value\" FROM \"Measures\""));
    }

    [Theory]
    [InlineData(TrackedReads.Primary, RoutingReason.TrackedRead)]
    [InlineData(TrackedReads.ReplicaUnprotected, RoutingReason.FreshReplica)]
    public async Task Tracked_reads_follow_the_setting(TrackedReads setting, RoutingReason expected)
    {
        var blogs = await RoutedBlogs.StartAsync(fixture.Cluster, r => r.TrackedReads(setting));
        await using var context = blogs.Context();

        Assert.Equal(3, (await context.Blogs.ToListAsync()).Count);
        Assert.Equal(expected, context.Database.LastRouting()!.Value.Reason);
        Assert.Null(context.Model.FindEntityType(typeof(Blog))!.FindProperty("xmin"));
    }

    [Fact]
    public async Task Migrations_see_no_change_and_the_schema_has_no_column()
    {
        await using var context = new BlogContext(BlogContext.Options(fixture.Cluster).Options);
        await using var plain = new BlogContext(new DbContextOptionsBuilder<BlogContext>().UseNpgsql(fixture.Cluster.Primary.ConnectionString).Options);

        Assert.NotNull(context.Model.FindEntityType(typeof(Blog))!.FindProperty("xmin"));
        Assert.Null(plain.Model.FindEntityType(typeof(Blog))!.FindProperty("xmin"));
        Assert.Equal(plain.Database.GenerateCreateScript(), context.Database.GenerateCreateScript());

        var differ = Microsoft.EntityFrameworkCore.Infrastructure.AccessorExtensions.GetService<IMigrationsModelDiffer>(context);
        var (before, after) = (RelationalModelOf(plain), RelationalModelOf(context));
        Assert.False(differ.HasDifferences(before, after));
        Assert.False(differ.HasDifferences(after, before));
    }

    private sealed class MeasureContext(DbContextOptions options) : DbContext(options)
    {
        public DbSet<Measure> Measures => Set<Measure>();

        protected override void OnModelCreating(ModelBuilder modelBuilder)
        {
            modelBuilder.Entity<Measure>().ToTable("Measures").Property(m => m.Id).ValueGeneratedNever();
            modelBuilder.Entity<MeasureDetail>().ToTable("Measures");
            modelBuilder.Entity<Measure>().HasOne(m => m.Detail).WithOne().HasForeignKey<MeasureDetail>(d => d.Id);
            modelBuilder.Entity<Measure>().Navigation(m => m.Detail).IsRequired();
        }
    }

    private sealed class Measure
    {
        public int Id { get; set; }

        public int Value { get; set; }

        public MeasureDetail? Detail { get; set; }
    }

    private sealed class MeasureDetail
    {
        public int Id { get; set; }
    }

    private static Microsoft.EntityFrameworkCore.Metadata.IRelationalModel RelationalModelOf(DbContext context) =>
        Microsoft.EntityFrameworkCore.Infrastructure.AccessorExtensions
            .GetService<Microsoft.EntityFrameworkCore.Metadata.IDesignTimeModel>(context).Model.GetRelationalModel();
}
