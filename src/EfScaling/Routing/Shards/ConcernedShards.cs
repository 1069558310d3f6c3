using EfScaling.Sharding;
using EfScaling.Sharding.Catalog;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.ChangeTracking;
using Microsoft.EntityFrameworkCore.Update;

namespace EfScaling.Routing.Shards;

/// <summary>The shards that a SaveChanges concerns, by the entities that it has to write, and what each must own for that.</summary>
/// <remarks>All of it by one picture of the maps. Not thread-safe; made for one attempt to save.</remarks>
internal sealed class ConcernedShards
{
    private readonly ShardedDatabase _database;
    private readonly bool _isGoverned;
    private readonly List<string> _names = new(1);
    private readonly List<OwnershipClaim> _claims = [];

    private ConcernedShards(ShardedDatabase database, ShardPicture picture, bool isGoverned) => (_database, Picture, _isGoverned) = (database, picture, isGoverned);

    /// <summary>Gets the maps that they are found by.</summary>
    public ShardPicture Picture { get; }

    /// <summary>Gets their names; none if there is nothing to write.</summary>
    public IReadOnlyList<string> Names => _names;

    /// <summary>Gets whether rows of reference tables are among what is written, of which several shards have copies.</summary>
    public bool HasCopies { get; private set; }

    /// <summary>Gets whether rows of other tables are among it.</summary>
    public bool HasOthers { get; private set; }

    /// <summary>Gets whether rows are among it that belong to one of several shards, without telling which.</summary>
    public bool IsAmbiguous { get; private set; }

    /// <summary>Finds them.</summary>
    /// <param name="tracker">The entities of the context. SaveChanges has detected their changes by now.</param>
    /// <param name="shards">The shards of the context.</param>
    /// <param name="picture">The maps to go by.</param>
    public static ConcernedShards Of(ChangeTracker tracker, ContextShards shards, ShardPicture picture)
    {
        var concerned = new ConcernedShards(shards.Database, picture, shards.IsGoverned);
        var detects = tracker.AutoDetectChangesEnabled;
        tracker.AutoDetectChangesEnabled = false;
        try
        {
            foreach (var entry in tracker.Entries())
            {
                if (entry.State is EntityState.Added or EntityState.Modified or EntityState.Deleted)
                {
                    concerned.Add(entry);
                }
            }
        }
        finally
        {
            tracker.AutoDetectChangesEnabled = detects;
        }

        return concerned;
    }

    /// <summary>Returns what a shard must own; <see langword="null"/> if nothing.</summary>
    public OwnershipClaim? ClaimOf(string shard) => _claims.Find(c => c.Shard == shard);

    /// <summary>Returns the shard that a command belongs to; <see langword="null"/> if to every one, as it writes a reference table.</summary>
    public string? ShardOf(IReadOnlyModificationCommand command)
    {
        var entry = command.Entries[0].ToEntityEntry();
        var place = _database.Model.Find(entry.Metadata);
        return place.Placement switch
        {
            TablePlacement.Reference => null,
            TablePlacement.DefaultShard => _database.DefaultShard,
            _ => RowPlace.ShardsOf(place, Picture.Maps[place.Map], entry)[0],
        };
    }

    private void Add(EntityEntry entry)
    {
        var place = _database.Model.Find(entry.Metadata);
        HasOthers |= place.Placement != TablePlacement.Reference;
        switch (place.Placement)
        {
            case TablePlacement.Reference:
                HasCopies |= _database.Options.Shards.Length > 1;
                foreach (var shard in _database.Options.Shards)
                {
                    Add(shard.Name);
                }

                break;
            case TablePlacement.DefaultShard:
                Add(_database.DefaultShard);
                break;
            default:
                var map = Picture.Maps[place.Map];
                var found = RowPlace.ShardsOf(place, map, entry);
                IsAmbiguous |= found.Count > 1;
                foreach (var shard in found)
                {
                    Add(shard);
                    if (_isGoverned)
                    {
                        Claim(shard, place.Map, RowPlace.BucketOf(place, map, entry) ?? MapOwnership.WholeShard);
                    }
                }

                break;
        }
    }

    private void Add(string shard)
    {
        if (!_names.Contains(shard))
        {
            _names.Add(shard);
        }
    }

    private void Claim(string shard, string map, int bucket)
    {
        var claim = ClaimOf(shard);
        if (claim is null)
        {
            _claims.Add(claim = new OwnershipClaim(Picture, shard));
        }

        claim.Add(map, bucket);
    }
}
