using EfScaling.IntegrationTests.Clusters;
using EfScaling.Routing;
using EfScaling.Testing;
using EfScaling.Topology;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace EfScaling.IntegrationTests.Routing;

/// <summary>Every way to get a context to its options, and every way to name the nodes.</summary>
public sealed class RegistrationTests(ClusterFixture fixture)
{
    private static readonly TimeSpan _deadline = TimeSpan.FromSeconds(20);

    private PostgresCluster Cluster => fixture.Cluster;

    [Fact]
    public async Task AddDbContext_and_AddDbContextPool_and_factories_give_routed_contexts()
    {
        await ReadsReachReplicasAsync(new ServiceCollection().AddDbContext<BlogContext>(Configure));
        await ReadsReachReplicasAsync(new ServiceCollection().AddDbContextPool<BlogContext>(Configure));
        await ReadsReachReplicasAsync(new ServiceCollection().AddDbContextFactory<BlogContext>(Configure));
        await ReadsReachReplicasAsync(new ServiceCollection().AddPooledDbContextFactory<BlogContext>(Configure));

        void Configure(DbContextOptionsBuilder options) =>
            options.UseNpgsql(Cluster.Primary.ConnectionString).UseReadReplicas(r => r.AddReplica(Cluster.Standbys[0].ConnectionString));
    }

    [Fact]
    public async Task OnConfiguring_gives_routed_contexts()
    {
        await Eventually.ThatAsync(
            async () =>
            {
                await using var context = new SelfConfigured(Cluster);
                Assert.Equal(3, await context.Set<Blog>().CountAsync());
                return context.Database.LastRouting()!.Value.Role == NodeRole.Replica;
            },
            _deadline,
            "a replica serves");
    }

    [Fact]
    public async Task Pooled_context_starts_clean()
    {
        await using var services = new ServiceCollection()
            .AddReadReplicaDbContextFactory<BlogContext>((_, options) =>
                options.UseNpgsql(Cluster.Primary.ConnectionString).UseReadReplicas(r => r.AddReplica(Cluster.Standbys[0].ConnectionString)))
            .BuildServiceProvider();
        var factory = services.GetRequiredService<ReadReplicaDbContextFactory<BlogContext>>();
        Assert.Same(factory, services.GetRequiredService<IDbContextFactory<BlogContext>>());
        await UntilReplicaServesAsync(factory.CreateDbContext);

        BlogContext first;
        await using (first = factory.CreateReadOnlyDbContext())
        {
            _ = first.Database.UsePrimary();
            await first.Blogs.CountAsync();
            Assert.Equal(RoutingReason.PrimaryRequested, first.Database.LastRouting()!.Value.Reason);
        }

        await using var second = await factory.CreateDbContextAsync();
        Assert.Same(first, second);
        Assert.Null(second.Database.LastRouting());
        await second.Blogs.CountAsync();
        Assert.Equal(RoutingReason.FreshReplica, second.Database.LastRouting()!.Value.Reason);
        second.Notes.Add(new Note { Text = "pooled" });
        await second.SaveChangesAsync();
    }

    [Fact]
    public async Task Pooled_context_left_with_an_open_connection_or_reader_gives_it_back()
    {
        await using var services = new ServiceCollection()
            .AddReadReplicaDbContextFactory<BlogContext>((_, options) =>
                options.UseNpgsql(Cluster.Primary.ConnectionString).UseReadReplicas(r => r.AddReplica(Cluster.Standbys[0].ConnectionString).MaxConnections(2)))
            .BuildServiceProvider();
        var factory = services.GetRequiredService<ReadReplicaDbContextFactory<BlogContext>>();
        await UntilReplicaServesAsync(factory.CreateDbContext);

        for (var i = 0; i < 5; i++)
        {
            await using var context = factory.CreateDbContext();
            var abandoned = context.Posts.AsAsyncEnumerable().GetAsyncEnumerator();
            Assert.True(await abandoned.MoveNextAsync());
            Assert.Equal(NodeRole.Replica, context.Database.LastRouting()!.Value.Role);
        }

        await using (var careless = factory.CreateDbContext())
        {
            await careless.Database.OpenConnectionAsync();
        }

        await using var next = factory.CreateDbContext();
        Assert.Equal(3, await next.Blogs.CountAsync());
        Assert.Equal(RoutingReason.FreshReplica, next.Database.LastRouting()!.Value.Reason);
        await next.Blogs.AsPrimary().CountAsync();
        Assert.Equal(System.Data.ConnectionState.Closed, next.Database.GetDbConnection().State);
    }

    [Fact]
    public async Task Read_only_context_tracks_nothing_and_refuses_every_write()
    {
        await using var services = new ServiceCollection()
            .AddReadReplicaDbContextFactory<BlogContext>((_, options) =>
                options.UseNpgsql(Cluster.Primary.ConnectionString).UseReadReplicas(r => r.AddReplica(Cluster.Standbys[0].ConnectionString)))
            .BuildServiceProvider();
        await using var context = await services.GetRequiredService<ReadReplicaDbContextFactory<BlogContext>>().CreateReadOnlyDbContextAsync();

        var blog = await context.Blogs.FirstAsync();
        Assert.Equal(EntityState.Detached, context.Entry(blog).State);
        context.Notes.Add(new Note { Text = "refused" });
        var refusal = await Assert.ThrowsAsync<InvalidOperationException>(() => context.SaveChangesAsync());
        Assert.Contains("CreateDbContext()", refusal.Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => context.SaveChanges());
        await Assert.ThrowsAsync<InvalidOperationException>(() => context.Notes.ExecuteDeleteAsync());
        await Assert.ThrowsAsync<InvalidOperationException>(() => context.Database.ExecuteSqlAsync($"DELETE FROM \"Notes\""));
    }

    [Fact]
    public async Task Hosts_of_one_connection_string_find_their_roles_whatever_their_order()
    {
        var hosts = string.Join(',', Cluster.Servers.Reverse().Select(s => $"{s.Host}:{s.Port}"));
        var multiHost = new NpgsqlConnectionStringBuilder(Cluster.Primary.ConnectionString) { Host = hosts }.ConnectionString;
        var log = new CommandLog();
        var options = new DbContextOptionsBuilder<BlogContext>().UseNpgsql(multiHost).UseReadReplicas().AddInterceptors(log).Options;
        await UntilReplicaServesAsync(() => new BlogContext(options));
        log.Clear();

        await using var context = new BlogContext(options);
        Assert.Equal(3, await context.Blogs.CountAsync());
        Assert.Contains(log.Ports.Single(), Cluster.Standbys.Select(s => s.Port));
        context.Notes.Add(new Note { Text = "multi-host" });
        await context.SaveChangesAsync();
        Assert.Equal($"{Cluster.Primary.Host}:{Cluster.Primary.Port}", context.Database.LastRouting()!.Value.Node);
        await using var transaction = await context.Database.BeginTransactionAsync();
        Assert.False(await context.Database.SqlQuery<bool>($"SELECT pg_is_in_recovery() AS \"Value\"").SingleAsync());
    }

    [Fact]
    public async Task Data_sources_of_the_application_are_nodes_with_their_own_mappings_and_sessions_made_read_only()
    {
        await Cluster.Primary.ExecuteAsync("DO $$ BEGIN CREATE TYPE mood AS ENUM ('happy', 'sad'); EXCEPTION WHEN duplicate_object THEN NULL; END $$");
        await Cluster.Primary.ExecuteAsync("CREATE TABLE IF NOT EXISTS moods (id int PRIMARY KEY, mood mood); INSERT INTO moods VALUES (1, 'happy') ON CONFLICT DO NOTHING");
        await Cluster.WaitForReplicationAsync();
        await using var primary = Build(Cluster.Primary);
        await using var replica = Build(Cluster.Standbys[0]);
        var options = new DbContextOptionsBuilder<MoodContext>().UseNpgsql(primary, o => o.MapEnum<Mood>("mood")).UseReadReplicas(r => r.AddReplica(replica)).Options;
        await UntilReplicaServesAsync(() => new MoodContext(options));

        await using var context = new MoodContext(options);
        Assert.Equal(Mood.Happy, (await context.Moods.SingleAsync()).Mood);
        Assert.Equal(NodeRole.Replica, context.Database.LastRouting()!.Value.Role);
        Assert.Equal(["on"], await context.Database.SqlQuery<string>($"SELECT current_setting('default_transaction_read_only') AS \"Value\"").AsReplica().ToListAsync());
        Assert.Equal(NodeRole.Replica, context.Database.LastRouting()!.Value.Role);

        static NpgsqlDataSource Build(PostgresServer server)
        {
            var builder = new NpgsqlDataSourceBuilder(server.ConnectionString);
            builder.MapEnum<Mood>("mood");
            return builder.Build();
        }
    }

    [Fact]
    public async Task Enum_mapped_in_UseNpgsql_and_ConfigureDataSource_hold_on_replicas()
    {
        await Cluster.Primary.ExecuteAsync("DO $$ BEGIN CREATE TYPE mood AS ENUM ('happy', 'sad'); EXCEPTION WHEN duplicate_object THEN NULL; END $$");
        await Cluster.Primary.ExecuteAsync("CREATE TABLE IF NOT EXISTS moods (id int PRIMARY KEY, mood mood); INSERT INTO moods VALUES (1, 'happy') ON CONFLICT DO NOTHING");
        await Cluster.WaitForReplicationAsync();
        var options = new DbContextOptionsBuilder<MoodContext>()
            .UseNpgsql(Cluster.Primary.ConnectionString, o => o.MapEnum<Mood>("mood").ConfigureDataSource(b => b.ConnectionStringBuilder.ApplicationName = "configured"))
            .UseReadReplicas(r => r.AddReplica(Cluster.Standbys[1].ConnectionString))
            .Options;
        await UntilReplicaServesAsync(() => new MoodContext(options));

        await using var context = new MoodContext(options);
        Assert.Equal(Mood.Happy, (await context.Moods.SingleAsync(m => m.Mood == Mood.Happy)).Mood);
        Assert.Equal(NodeRole.Replica, context.Database.LastRouting()!.Value.Role);
        Assert.Equal(["configured"], await context.Database.SqlQuery<string>($"SELECT current_setting('application_name') AS \"Value\"").AsReplica().ToListAsync());
        Assert.Equal(NodeRole.Replica, context.Database.LastRouting()!.Value.Role);
    }

    private static async Task ReadsReachReplicasAsync(IServiceCollection collection)
    {
        await using var services = collection.BuildServiceProvider();
        await Eventually.ThatAsync(
            async () =>
            {
                await using var scope = services.CreateAsyncScope();
                await using var context = scope.ServiceProvider.GetService<BlogContext>() ?? scope.ServiceProvider.GetRequiredService<IDbContextFactory<BlogContext>>().CreateDbContext();
                Assert.Equal(3, await context.Blogs.CountAsync());
                return context.Database.LastRouting()!.Value.Role == NodeRole.Replica;
            },
            _deadline,
            "a replica serves");
    }

    private static Task UntilReplicaServesAsync(Func<DbContext> create) => Eventually.ThatAsync(
        async () =>
        {
            await using var context = create();
            await context.Database.SqlQuery<int>($"SELECT 1 AS \"Value\"").AsReplica().ToListAsync();
            return context.Database.LastRouting()!.Value.Role == NodeRole.Replica;
        },
        _deadline,
        "a replica serves");

    private sealed class SelfConfigured(PostgresCluster cluster) : DbContext
    {
        protected override void OnConfiguring(DbContextOptionsBuilder optionsBuilder) =>
            optionsBuilder.UseNpgsql(cluster.Primary.ConnectionString).UseReadReplicas(r => r.AddReplica(cluster.Standbys[0].ConnectionString).AddReplica(cluster.Standbys[1].ConnectionString));

        protected override void OnModelCreating(ModelBuilder modelBuilder)
        {
            modelBuilder.Entity<Blog>().ToTable("Blogs").OwnsOne(b => b.Author);
            modelBuilder.Entity<Blog>().OwnsOne(b => b.Settings, s => s.ToJson());
        }
    }

    private sealed class MoodContext(DbContextOptions options) : DbContext(options)
    {
        public DbSet<MoodRow> Moods => Set<MoodRow>();

        protected override void OnModelCreating(ModelBuilder modelBuilder)
        {
            modelBuilder.Entity<MoodRow>(m =>
            {
                m.ToTable("moods");
                m.Property(x => x.Id).HasColumnName("id");
                m.Property(x => x.Mood).HasColumnName("mood");
            });
        }
    }

    private sealed class MoodRow
    {
        public int Id { get; set; }

        public Mood Mood { get; set; }
    }

    private enum Mood
    {
        Happy,
        Sad,
    }
}
