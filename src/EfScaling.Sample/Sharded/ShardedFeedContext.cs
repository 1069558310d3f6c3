using EfScaling.Sample.Feed;
using Microsoft.EntityFrameworkCore;

namespace EfScaling.Sample.Sharded;

/// <summary>The social network by user: whom a user follows and what the user likes, what the user wrote and who likes that live on the user's shard.</summary>
internal sealed class ShardedFeedContext(DbContextOptions<ShardedFeedContext> options) : DbContext(options)
{
    public DbSet<User> Users => Set<User>();

    public DbSet<Follow> Follows => Set<Follow>();

    public DbSet<Post> Posts => Set<Post>();

    public DbSet<PostLike> Likes => Set<PostLike>();

    public DbSet<GivenLike> GivenLikes => Set<GivenLike>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<User>(user =>
        {
            user.IsSharded(u => u.Id);
            user.Property(u => u.Id).ValueGeneratedNever();
        });
        modelBuilder.Entity<Follow>(follow =>
        {
            follow.IsSharded(f => f.FollowerId);
            follow.HasKey(f => new { f.FollowerId, f.FollowedId });
            follow.HasIndex(f => f.FollowedId);
        });
        modelBuilder.Entity<Post>(post =>
        {
            post.IsSharded(p => p.AuthorId);
            post.HasKey(p => new { p.AuthorId, p.Id });
            post.Property(p => p.Id).ValueGeneratedNever();
            post.Ignore(p => p.Likes);
        });
        modelBuilder.Entity<PostLike>(like =>
        {
            like.IsSharded(l => l.AuthorId);
            like.HasKey(l => new { l.AuthorId, l.PostId, l.UserId });
        });
        modelBuilder.Entity<GivenLike>(like =>
        {
            like.IsSharded(l => l.UserId);
            like.HasKey(l => new { l.UserId, l.PostId });
        });
    }
}
