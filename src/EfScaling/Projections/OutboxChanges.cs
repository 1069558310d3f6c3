using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.ChangeTracking;
using Microsoft.EntityFrameworkCore.Metadata;

namespace EfScaling.Projections;

/// <summary>The keys that one SaveChanges changes.</summary>
/// <remarks>Old keys are read before the save and new ones after it, when the database has given out those that it generates.</remarks>
internal sealed class OutboxChanges
{
    private static readonly EqualityComparer<object?[]> _keys = EqualityComparer<object?[]>.Create(
        (left, right) => left.AsSpan().SequenceEqual(right), values => values.Aggregate(0, HashCode.Combine));

    private readonly HashSet<OutboxEntry> _old = [];
    private readonly List<(Projection Projection, string Source, PropertyEntry Value)> _new = [];
    private readonly Dictionary<IReadOnlyKey, Dictionary<object?[], EntityEntry>> _owners = [];

    private OutboxChanges()
    {
    }

    /// <summary>Collects what is about to be saved.</summary>
    /// <returns><see langword="null"/> if no projection follows any of it.</returns>
    public static OutboxChanges? Of(DbContext context, ProjectionSet projections)
    {
        var changes = new OutboxChanges();
        Entries(context, entries =>
        {
            foreach (var entry in entries.Where(e => e.State is EntityState.Added or EntityState.Modified or EntityState.Deleted))
            {
                // An owned entity is part of its owner, also where it has a row or a document of its own.
                for (var part = entry; part is not null; part = changes.OwnerOf(part, entries))
                {
                    changes.Add(part, projections);
                }
            }
        });
        return changes._old.Count == 0 && changes._new.Count == 0 ? null : changes;
    }

    /// <summary>Returns the changed keys, each once. To be called when the changes are saved, and before they are accepted.</summary>
    public IReadOnlyList<OutboxEntry> Saved() =>
        [.. _old.Union(_new.Where(n => n.Value.CurrentValue is not null).Select(n => new OutboxEntry(n.Projection, n.Source, ProjectionKey.FormatValue(n.Value.CurrentValue!))))];

    // EF has found the changes already. Looking again while they are saved would find what they are not.
    private static void Entries(DbContext context, Action<IReadOnlyList<EntityEntry>> use)
    {
        var detects = context.ChangeTracker.AutoDetectChangesEnabled;
        context.ChangeTracker.AutoDetectChangesEnabled = false;
        try
        {
            use([.. context.ChangeTracker.Entries()]);
        }
        finally
        {
            context.ChangeTracker.AutoDetectChangesEnabled = detects;
        }
    }

    // A row that left its owner may have lost the owner's key, but not the memory of it.
    private static object?[] ValuesOf(EntityEntry entry, IEnumerable<IProperty> properties) =>
        [.. properties.Select(entry.Property).Select(p => entry.State == EntityState.Deleted ? p.OriginalValue : p.CurrentValue)];

    private EntityEntry? OwnerOf(EntityEntry entry, IReadOnlyList<EntityEntry> entries)
    {
        if (entry.Metadata.FindOwnership() is not { } ownership)
        {
            return null;
        }

        if (!_owners.TryGetValue(ownership.PrincipalKey, out var owners))
        {
            _owners[ownership.PrincipalKey] = owners = new(_keys);
            foreach (var owner in entries.Where(e => ownership.PrincipalKey.DeclaringEntityType.IsAssignableFrom(e.Metadata)))
            {
                owners.TryAdd(ValuesOf(owner, ownership.PrincipalKey.Properties), owner);
            }
        }

        return owners.GetValueOrDefault(ValuesOf(entry, ownership.Properties));
    }

    private void Add(EntityEntry entry, ProjectionSet projections)
    {
        foreach (var projection in projections.All)
        {
            foreach (var source in projection.Sources)
            {
                if (source.EntityType.IsAssignableFrom(entry.Metadata.ClrType))
                {
                    Add(entry, projection, source);
                }
            }
        }
    }

    private void Add(EntityEntry entry, Projection projection, ProjectionSource source)
    {
        var value = entry.Property(source.Property);
        if (entry.State != EntityState.Added)
        {
            Check(value, projection, source);
        }

        if (entry.State != EntityState.Added && value.OriginalValue is { } old)
        {
            _old.Add(new OutboxEntry(projection, source.Name, ProjectionKey.FormatValue(old)));
        }

        if (entry.State != EntityState.Deleted)
        {
            _new.Add((projection, source.Name, value));
        }
    }

    // An entity that was attached by its primary key alone has no memory of the view that its row belongs to.
    private static void Check(PropertyEntry value, Projection projection, ProjectionSource source)
    {
        if (source.Name == ProjectionSource.Direct && !value.Metadata.IsPrimaryKey() && !value.Metadata.IsNullable
            && (value.OriginalValue is null or (short)0 or 0 or 0L || value.OriginalValue.Equals(Guid.Empty)))
        {
            throw new InvalidOperationException(
                $"The projection '{projection.Name}' cannot tell which view the changed '{source.EntityType.Name}' belongs to: the original value of '{source.Property}' is missing, as in an "
                + "entity that was not read. Load the row before it is changed or deleted, or use ExecuteUpdate or ExecuteDelete and announce the key with EnqueueProjectionAsync.");
        }
    }
}
