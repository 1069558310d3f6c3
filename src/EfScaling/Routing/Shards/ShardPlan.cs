using System.Collections.Immutable;
using EfScaling.Sharding;

namespace EfScaling.Routing.Shards;

/// <summary>What the SQL tree of a command says about the shards that it concerns. Made once for each SQL; immutable and thread-safe.</summary>
/// <param name="Tables">The tables that it uses, reference tables left out.</param>
/// <param name="Opaque">What of it does not show which tables it uses; <see langword="null"/> if everything shows it.</param>
/// <param name="ChangedKey">The column of a shard key that it changes, with its table; <see langword="null"/> if it changes none.</param>
/// <param name="CopiedTable">The reference table that it writes, in the same way whichever copy it runs on unless it is opaque; <see langword="null"/> if it writes none.</param>
internal sealed record ShardPlan(ImmutableArray<PlacedTable> Tables, string? Opaque, string? ChangedKey, string? CopiedTable = null)
{
    /// <summary>Gets whether the shard must own what the command reads or writes: it uses a sharded table.</summary>
    public bool NeedsOwnership { get; } = Tables.Any(t => t.Table.Placement == TablePlacement.Sharded);
}
