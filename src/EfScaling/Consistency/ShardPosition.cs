namespace EfScaling.Consistency;

/// <summary>What a caller must see of one shard.</summary>
/// <param name="Shard">The shard's name; empty while there is only one.</param>
/// <param name="SystemId">The cluster whose log the position is in.</param>
/// <param name="Timeline">The history of that cluster; positions of two histories do not compare.</param>
/// <param name="Position">Everything committed up to here must be visible.</param>
/// <param name="SeenOn">
/// The server whose reads may have shown more than the position tells, by the time of its start; <see cref="Nowhere"/> if none, and <see cref="Anywhere"/> if
/// it was the primary or several. Staying on that server is safe, any other must show everything that is committed by the time it is asked.
/// </param>
internal readonly record struct ShardPosition(string Shard, ulong SystemId, uint Timeline, WalPosition Position, ulong SeenOn = ShardPosition.Nowhere)
{
    /// <summary>No read may have shown more than the position tells.</summary>
    public const ulong Nowhere = 0;

    /// <summary>Reads may have shown more, and no server is known to show at least as much.</summary>
    public const ulong Anywhere = 1;

    /// <summary>Returns whether both speak of the same shard of the same cluster, in whatever history.</summary>
    public bool IsOfSameShardAs(ShardPosition other) => Shard == other.Shard && SystemId == other.SystemId;

    /// <summary>Returns the demand that satisfies both; of two histories the later one counts, because the earlier one ended where it began.</summary>
    public ShardPosition Merge(ShardPosition other) =>
        Timeline != other.Timeline
            ? Timeline > other.Timeline ? this : other
            : this with { Position = Position > other.Position ? Position : other.Position, SeenOn = MergeSeen(SeenOn, other.SeenOn) };

    private static ulong MergeSeen(ulong left, ulong right) =>
        left == right || right == Nowhere ? left : left == Nowhere ? right : Anywhere;
}
