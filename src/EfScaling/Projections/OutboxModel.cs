using Microsoft.EntityFrameworkCore;

namespace EfScaling.Projections;

/// <summary>Tells EF's model, and through it migrations, of the outbox.</summary>
internal static class OutboxModel
{
    /// <summary>Maps the table. It is the same as that of <see cref="OutboxTable.EnsureCreatedAsync"/>.</summary>
    public static void Map(ModelBuilder modelBuilder) => modelBuilder.Entity<OutboxRow>(row =>
    {
        row.ToTable(OutboxTable.Name, OutboxTable.Schema);
        row.HasKey(r => r.Id).HasName("pk_outbox");
        row.Property(r => r.Id).HasColumnName("id").HasColumnType("bigint").UseIdentityByDefaultColumn();
        row.Property(r => r.Projection).HasColumnName("projection").HasColumnType("text");
        row.Property(r => r.Source).HasColumnName("source").HasColumnType("text").HasDefaultValue(ProjectionSource.Direct);
        row.Property(r => r.Key).HasColumnName("key").HasColumnType("text");
        row.Property(r => r.Position).HasColumnName("position").HasColumnType("bigint");
        row.Property(r => r.IsRebuild).HasColumnName("is_rebuild").HasColumnType("boolean").HasDefaultValue(false);
        row.Property(r => r.EnqueuedAt).HasColumnName("enqueued_at").HasColumnType("timestamp with time zone").HasDefaultValueSql("clock_timestamp()");
        row.Property(r => r.Attempts).HasColumnName("attempts").HasColumnType("integer").HasDefaultValue(0);
        row.Property(r => r.DueAt).HasColumnName("due_at").HasColumnType("timestamp with time zone");
        row.Property(r => r.ParkedAt).HasColumnName("parked_at").HasColumnType("timestamp with time zone");
        row.Property(r => r.Reason).HasColumnName("reason").HasColumnType("text");
        row.HasIndex(r => new { r.Projection, r.IsRebuild, r.Id }, "ix_outbox_due").HasFilter("parked_at IS NULL");
        row.HasIndex(r => new { r.Projection, r.Source, r.Key }, "ix_outbox_key");
    });
}
