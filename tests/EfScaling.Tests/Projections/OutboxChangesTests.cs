using EfScaling.Projections;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace EfScaling.Tests.Projections;

/// <summary>Which keys a save announces, and when it cannot know them.</summary>
public sealed class OutboxChangesTests
{
    public static TheoryData<object> Stubs => new() { new Line { Id = 5 }, new Tag { Id = 5 }, new Seal { Id = 5 } };

    [Theory]
    [MemberData(nameof(Stubs))]
    public void Row_that_was_never_read_is_not_deleted_with_a_key_that_it_never_had(object stub)
    {
        using var context = new LineContext();
        context.Remove(stub);

        var exception = Assert.Throws<InvalidOperationException>(() => OutboxChanges.Of(context, Projections()));

        Assert.Contains($"'{stub.GetType().Name}'", exception.Message, StringComparison.Ordinal);
        Assert.Contains("EnqueueProjectionAsync", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Row_that_was_never_read_is_not_moved()
    {
        using var context = new LineContext();
        var line = new Line { Id = 5 };
        context.Attach(line);
        line.OrderId = 7;
        context.ChangeTracker.DetectChanges();

        Assert.Throws<InvalidOperationException>(() => OutboxChanges.Of(context, Projections()));
    }

    [Fact]
    public void Rows_that_were_read_or_are_new_announce_old_and_new_keys()
    {
        using var context = new LineContext();
        var (moved, gone) = (new Line { Id = 5, OrderId = 6 }, new Line { Id = 6, OrderId = 8 });
        context.AttachRange(moved, gone, new Note { Id = 1 });
        moved.OrderId = 7;
        context.Remove(gone);
        context.Add(new Line { OrderId = 0 });
        context.Add(new Order { Id = 0 });
        context.Remove(context.Notes.Local.Single());
        context.ChangeTracker.DetectChanges();

        var changes = OutboxChanges.Of(context, Projections())!;

        // The new order has a temporary number before it is saved.
        Assert.Equal(["0", "6", "7", "8"], changes.Saved().Select(e => e.Key).Where(k => !k.StartsWith('-')).Order(StringComparer.Ordinal));
    }

    private static ContextProjections<LineContext> Projections()
    {
        var services = new ServiceCollection();
        services.AddProjection<LineContext, View>(p => p
            .Key(v => v.Id)
            .On<Order>(o => o.Id)
            .On<Line>(l => l.OrderId)
            .On<Note>(n => n.OrderId!.Value)
            .Build((_, _, _) => Task.FromResult<View?>(null)));
        services.AddProjection<LineContext, CodeView>(p => p.Key(v => v.Code).On<Tag>(t => t.Code).Build((_, _, _) => Task.FromResult<CodeView?>(null)));
        services.AddProjection<LineContext, SealView>(p => p.Key(v => v.Id).On<Seal>(t => t.Parcel).Build((_, _, _) => Task.FromResult<SealView?>(null)));
        using var provider = services.BuildServiceProvider();
        return provider.GetRequiredService<ContextProjections<LineContext>>();
    }

    internal sealed class LineContext : DbContext
    {
        public DbSet<Order> Orders => Set<Order>();

        public DbSet<Line> Lines => Set<Line>();

        public DbSet<Note> Notes => Set<Note>();

        public DbSet<Tag> Tags => Set<Tag>();

        public DbSet<Seal> Seals => Set<Seal>();

        protected override void OnConfiguring(DbContextOptionsBuilder optionsBuilder) => optionsBuilder.UseNpgsql("Host=nowhere.invalid");
    }

    internal sealed class Order
    {
        public int Id { get; set; }
    }

    internal sealed class Line
    {
        public int Id { get; set; }

        public int OrderId { get; set; }
    }

    internal sealed class Note
    {
        public int Id { get; set; }

        public int? OrderId { get; set; }
    }

    internal sealed class Tag
    {
        public int Id { get; set; }

        public string Code { get; set; } = null!;
    }

    internal sealed class Seal
    {
        public int Id { get; set; }

        public Guid Parcel { get; set; }
    }

    internal sealed class View
    {
        public int Id { get; set; }
    }

    internal sealed class CodeView
    {
        public required string Code { get; set; }
    }

    internal sealed class SealView
    {
        public Guid Id { get; set; }
    }
}
