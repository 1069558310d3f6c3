using System.Linq.Expressions;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.ChangeTracking;

namespace EfScaling.Projections;

/// <summary>Keeps views as an entity of the same context, and so in the transaction in which the outbox is emptied.</summary>
internal sealed class TableTarget<TContext, TView, TKey>(
    string name, Expression<Func<TView, TKey>> key, Func<TContext, TKey, CancellationToken, Task<TView?>> build) : ProjectionTarget<TContext, TKey>
    where TContext : DbContext
    where TView : class
    where TKey : notnull
{
    private readonly string _property = KeyProperty.NameOf(key);
    private readonly Func<TView, TKey> _keyOf = key.Compile();

    /// <inheritdoc />
    public override bool IsExternal => false;

    /// <inheritdoc />
    public override KeyPages AllKeys() => new EntityKeyPages<TView, TKey>(key);

    /// <inheritdoc />
    public override async Task ApplyAsync(TContext context, IServiceProvider services, IReadOnlyList<TKey> keys, long version, CancellationToken cancellationToken)
    {
        CheckModel(context);
        var views = new Dictionary<TKey, TView?>(keys.Count);
        foreach (var wanted in keys)
        {
            views[wanted] = ProjectionView.Checked(name, wanted, await build(context, wanted, cancellationToken).ConfigureAwait(false), _keyOf);
        }

        // Loaded and not merely overwritten: a concurrency token of the view must be that of the row.
        var (wantedKeys, property) = (keys.ToList(), _property);
        var known = await context.Set<TView>().AsTracking().IgnoreQueryFilters().Where(v => wantedKeys.Contains(EF.Property<TKey>(v, property)))
            .ToDictionaryAsync(_keyOf, cancellationToken).ConfigureAwait(false);
        foreach (var (wanted, view) in views)
        {
            Put(context, known.GetValueOrDefault(wanted), view);
        }

        await context.SaveChangesAsync(cancellationToken).ConfigureAwait(false);
    }

    private static void Put(TContext context, TView? known, TView? view)
    {
        if (view is null)
        {
            if (known is not null)
            {
                context.Remove(known);
            }
        }
        else if (known is null)
        {
            context.Add(view);
        }
        else if (!ReferenceEquals(known, view))
        {
            Overwrite(context.Entry(known), context.Entry(view));
        }
    }

    private static void Overwrite(EntityEntry<TView> known, EntityEntry<TView> view)
    {
        foreach (var property in known.Properties.Where(p => !p.Metadata.IsPrimaryKey() && !p.Metadata.IsShadowProperty() && !p.Metadata.IsConcurrencyToken))
        {
            property.CurrentValue = view.Property(property.Metadata.Name).CurrentValue;
        }

        foreach (var complex in known.ComplexProperties)
        {
            complex.CurrentValue = view.ComplexProperty(complex.Metadata.Name).CurrentValue;
        }

        // Owned types, in columns or in JSON, belong to the view; other navigations are those of the entity at their end.
        foreach (var navigation in known.Navigations.Where(n => n.Metadata.TargetEntityType.IsOwned()))
        {
            navigation.CurrentValue = view.Navigation(navigation.Metadata.Name).CurrentValue;
        }
    }

    private void CheckModel(TContext context)
    {
        if (context.Model.FindEntityType(typeof(TView))?.FindPrimaryKey() is not { Properties: [var primary] } || primary.Name != _property)
        {
            throw new InvalidOperationException(
                $"The projection '{name}' keeps its views in a table, but '{typeof(TView).Name}' is no entity of '{typeof(TContext).Name}' whose primary key is '{_property}'. "
                + $"Map it with modelBuilder.Entity<{typeof(TView).Name}>().HasKey(v => v.{_property}), or keep the views elsewhere with IntoDocuments() or Into(...).");
        }
    }
}
