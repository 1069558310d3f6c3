using EfScaling.Sharding;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace EfScaling.IntegrationTests.Sharding;

/// <summary>Authors with their articles and comments, found by ids alone; seats by a composite key of an enum and a typed id; and topics on every shard.</summary>
public sealed class PressContext(DbContextOptions<PressContext> options) : DbContext(options)
{
    public DbSet<Author> Authors => Set<Author>();

    public DbSet<Article> Articles => Set<Article>();

    public DbSet<Comment> Comments => Set<Comment>();

    public DbSet<Seat> Seats => Set<Seat>();

    public DbSet<Topic> Topics => Set<Topic>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Author>().IsSharded(a => a.Id);
        modelBuilder.Entity<Article>(b =>
        {
            b.IsSharded(a => a.AuthorId);
            b.Property(a => a.Id).HasShardedId();
            b.OwnsOne(a => a.Summary);
            b.OwnsOne(a => a.Layout, l => l.ToJson());
            b.OwnsMany(a => a.Notes, n => n.HasKey("ArticleId", "Number"));
            b.HasQueryFilter(a => !a.IsDeleted);
            b.HasMany(a => a.Topics).WithMany();
        });
        modelBuilder.Entity<Comment>(b =>
        {
            b.IsSharded(c => c.AuthorId);
            b.HasOne(c => c.Article).WithMany(a => a.Comments).HasForeignKey(c => c.ArticleId);
        });
        modelBuilder.Entity<Seat>(b =>
        {
            b.IsSharded(s => new { s.Region, s.Room }, map: "seats");
            b.HasKey(s => new { s.Region, s.Room, s.Number });
            b.OwnsMany(s => s.Marks, m => m.ToJson());
            b.Property(s => s.Room).HasConversion(r => r.Value, v => new RoomId(v));
        });
        modelBuilder.Entity<Topic>(b =>
        {
            b.IsReferenceTable();
            b.Property(t => t.Id).ValueGeneratedNever();
            b.Property(t => t.Version).IsConcurrencyToken();
        });
    }
}

public sealed class Author
{
    public Guid Id { get; set; }

    public required string Name { get; set; }

    public List<Article> Articles { get; } = [];
}

public sealed class Article
{
    public long Id { get; set; }

    public Guid AuthorId { get; set; }

    public required string Title { get; set; }

    public bool IsDeleted { get; set; }

    public Summary? Summary { get; set; }

    public Layout? Layout { get; set; }

    public List<Note> Notes { get; } = [];

    public List<Topic> Topics { get; } = [];

    public List<Comment> Comments { get; } = [];
}

public sealed class Summary
{
    public required string Text { get; set; }
}

public sealed class Layout
{
    public int Columns { get; set; }
}

public sealed class Mark
{
    public required string Text { get; set; }
}

public sealed class Note
{
    public int Number { get; set; }

    public required string Text { get; set; }
}

public sealed class Comment
{
    private readonly ILazyLoader? _loader;

    public Comment()
    {
    }

    private Comment(ILazyLoader loader) => _loader = loader;

    [ShardedId]
    public long Id { get; set; }

    public Guid AuthorId { get; set; }

    public long ArticleId { get; set; }

    public required string Text { get; set; }

    public Article? Article
    {
        get => _loader is null ? field : _loader.Load(this, ref field);
        set;
    }
}

public enum Region
{
    Here = 1,
    There = 2,
}

public readonly record struct RoomId(long Value);

public sealed class Seat
{
    public Region Region { get; set; }

    public RoomId Room { get; set; }

    public int Number { get; set; }

    public int? Neighbour { get; set; }

    public string Label { get; set; } = "";

    public List<Mark> Marks { get; } = [];
}

public sealed class Topic
{
    public int Id { get; set; }

    public required string Name { get; set; }

    public int Version { get; set; }
}
