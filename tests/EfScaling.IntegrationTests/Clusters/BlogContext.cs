using System.Data.Common;
using EfScaling.Replication;
using EfScaling.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace EfScaling.IntegrationTests.Clusters;

/// <summary>The model of the tests: blogs with posts, tags, an author that is owned, and settings in JSON.</summary>
public sealed class BlogContext(DbContextOptions options) : DbContext(options)
{
    public DbSet<Blog> Blogs => Set<Blog>();

    public DbSet<Post> Posts => Set<Post>();

    public DbSet<Tag> Tags => Set<Tag>();

    public DbSet<Note> Notes => Set<Note>();

    public DbSet<Shelf> Shelves => Set<Shelf>();

    public DbSet<Scratch> Scratches => Set<Scratch>();

    public DbSet<Secret> Secrets => Set<Secret>();

    /// <summary>A function of the application that nobody declared to only read.</summary>
    public static int Doubled(int value) => throw new NotSupportedException("Runs in the database.");

    /// <summary>A function of the application, declared to only read, that takes its time.</summary>
    public static int Slow(int seconds) => throw new NotSupportedException("Runs in the database.");

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

    /// <summary>Options over a connection of the application and the cluster's standbys.</summary>
    public static DbContextOptionsBuilder<BlogContext> OptionsOver(DbConnection connection, PostgresCluster cluster) =>
        new DbContextOptionsBuilder<BlogContext>()
            .UseNpgsql(connection)
            .UseReadReplicas(r => r.AddReplica(cluster.Standbys[0].ConnectionString));

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
        context.Add(new Post { BlogId = 1, Title = "deleted", IsDeleted = true, Blog = context.Blogs.Local.First() });
        context.Add(new Shelf { Books = [new Book { Title = "first" }, new Book { Title = "second" }] });
        await context.SaveChangesAsync();
        await context.Database.ExecuteSqlRawAsync(
            """
            CREATE FUNCTION doubled(value int) RETURNS int LANGUAGE sql AS 'SELECT value * 2';
            CREATE FUNCTION slow(seconds int) RETURNS int LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(seconds); RETURN seconds; END';
            """);
        await cluster.WaitForReplicationAsync();
    }

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Blog>().OwnsOne(b => b.Author);
        modelBuilder.Entity<Blog>().OwnsOne(b => b.Settings, s => s.ToJson());
        modelBuilder.Entity<Post>().HasQueryFilter(p => !p.IsDeleted);
        modelBuilder.Entity<Scratch>().IsUnlogged();
        modelBuilder.Entity<Secret>().IsPrimaryOnly();
        modelBuilder.Entity<Ticket>().Property(t => t.Id).UseHiLo("ticket_ids");
        modelBuilder.HasDbFunction(typeof(BlogContext).GetMethod(nameof(Doubled))!).HasName("doubled");
        modelBuilder.HasDbFunction(typeof(BlogContext).GetMethod(nameof(Slow))!).HasName("slow").IsStable();
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

public sealed class Note
{
    public int Id { get; set; }

    public required string Text { get; set; }
}

public sealed class Scratch
{
    public int Id { get; set; }
}

public sealed class Secret
{
    public int Id { get; set; }
}

public sealed class Ticket
{
    public int Id { get; set; }
}

/// <summary>Loads its books when they are first asked for.</summary>
public sealed class Shelf
{
    private readonly ILazyLoader? _loader;
    private List<Book> _books = [];

    public Shelf()
    {
    }

    private Shelf(ILazyLoader loader) => _loader = loader;

    public int Id { get; set; }

    public List<Book> Books
    {
        get => _loader?.Load(this, ref _books!) ?? _books;
        set => _books = value;
    }
}

public sealed class Book
{
    public int Id { get; set; }

    public required string Title { get; set; }
}

public sealed class Tag
{
    public int Id { get; set; }

    public required string Name { get; set; }

    public List<Post> Posts { get; set; } = [];
}
