using EfScaling.Replication;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.IntegrationTests.Clusters;

/// <summary>The model of the tests: blogs with posts, tags, an author that is owned, and settings in JSON.</summary>
public sealed class BlogContext(DbContextOptions options) : DbContext(options)
{
    public DbSet<Blog> Blogs => Set<Blog>();

    public DbSet<Post> Posts => Set<Post>();

    public DbSet<Tag> Tags => Set<Tag>();

    /// <summary>Options over the cluster's primary and standbys.</summary>
    public static DbContextOptionsBuilder<BlogContext> Options(PostgresCluster cluster, Action<ReplicaOptionsBuilder>? configure = null) =>
        new DbContextOptionsBuilder<BlogContext>()
            .UseNpgsql(cluster.Primary.ConnectionString)
            .UseReadReplicas(r =>
            {
                foreach (var standby in cluster.Standbys)
                {
                    r.AddReplica(standby.ConnectionString);
                }

                configure?.Invoke(r);
            });

    /// <summary>Creates the tables with a few rows and waits until every standby has them.</summary>
    public static async Task CreateSchemaAsync(PostgresCluster cluster)
    {
        await using var context = new BlogContext(new DbContextOptionsBuilder<BlogContext>().UseNpgsql(cluster.Primary.ConnectionString).Options);
        await context.Database.EnsureCreatedAsync();
        var tags = new[] { new Tag { Name = "ef" }, new Tag { Name = "postgres" } };
        context.AddRange(Enumerable.Range(1, 3).Select(b => new Blog
        {
            Name = $"blog {b}",
            Author = new Author { Name = $"author {b}" },
            Settings = new BlogSettings { Theme = "dark" },
            Posts = [.. Enumerable.Range(1, 4).Select(p => new Post { Title = $"post {b}.{p}", Tags = [tags[p % 2]] })],
        }));
        await context.SaveChangesAsync();
        await cluster.WaitForReplicationAsync();
    }

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Blog>().OwnsOne(b => b.Author);
        modelBuilder.Entity<Blog>().OwnsOne(b => b.Settings, s => s.ToJson());
        modelBuilder.Entity<Post>().HasQueryFilter(p => !p.IsDeleted);
    }
}

public sealed class Blog
{
    public int Id { get; set; }

    public required string Name { get; set; }

    public required Author Author { get; set; }

    public required BlogSettings Settings { get; set; }

    public List<Post> Posts { get; set; } = [];
}

public sealed class Author
{
    public required string Name { get; set; }
}

public sealed class BlogSettings
{
    public required string Theme { get; set; }
}

public sealed class Post
{
    public int Id { get; set; }

    public int BlogId { get; set; }

    public Blog? Blog { get; set; }

    public required string Title { get; set; }

    public bool IsDeleted { get; set; }

    public List<Tag> Tags { get; set; } = [];
}

public sealed class Tag
{
    public int Id { get; set; }

    public required string Name { get; set; }

    public List<Post> Posts { get; set; } = [];
}
