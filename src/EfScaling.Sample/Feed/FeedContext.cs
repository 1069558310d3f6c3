using Microsoft.EntityFrameworkCore;

namespace EfScaling.Sample.Feed;

/// <summary>The social network: an ordinary EF Core context that knows nothing of replicas.</summary>
internal sealed class FeedContext(DbContextOptions<FeedContext> options) : DbContext(options)
{
    /// <summary>The schema of the sample's tables. Each run drops it and creates it again.</summary>
    public const string Schema = "efscaling_sample";

    public DbSet<User> Users => Set<User>();

    public DbSet<Follow> Follows => Set<Follow>();

    public DbSet<Post> Posts => Set<Post>();

    public DbSet<Like> Likes => Set<Like>();

    public DbSet<Heartbeat> Heartbeats => Set<Heartbeat>();

    /// <summary>Asks the server itself whether it is a standby.</summary>
    public static bool IsStandby() => throw new InvalidOperationException("IsStandby was called outside a query. Use it inside a LINQ query on FeedContext.");

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.HasDefaultSchema(Schema);
        modelBuilder.Entity<User>().Property(u => u.Id).ValueGeneratedNever();
        modelBuilder.Entity<Follow>().HasKey(f => new { f.FollowerId, f.FollowedId });
        modelBuilder.Entity<Follow>().HasIndex(f => f.FollowedId);
        modelBuilder.Entity<Post>().HasIndex(p => new { p.AuthorId, p.Id });
        modelBuilder.Entity<Like>().HasKey(l => new { l.PostId, l.UserId });
        modelBuilder.Entity<Heartbeat>().Property(h => h.Id).ValueGeneratedNever();

        // The router does not know this function; IsStable() vouches that it only reads, so that queries with it may run on replicas.
        modelBuilder.HasDbFunction(() => IsStandby()).HasName("pg_is_in_recovery").IsBuiltIn().IsStable();
    }
}
