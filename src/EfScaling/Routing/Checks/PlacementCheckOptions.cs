using EfScaling.Consistency;

namespace EfScaling.Routing.Checks;

/// <summary>How <c>VerifyPlacementAsync</c> looks at the rows.</summary>
public sealed record PlacementCheckOptions
{
    /// <summary>Gets what the rows must be read from; the primary by default. Any other contract lets the replicas of each shard carry the load.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is not defined.</exception>
    public ReadContract Contract
    {
        get;
        init => field = Enum.IsDefined(value) ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "The value is not defined.");
    } = ReadContract.Primary;

    /// <summary>Gets how many shards are looked at at once; at least 1, and 4 by default.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Less than 1.</exception>
    public int MaxParallel
    {
        get;
        init => field = AtLeast(1, value);
    } = Shards.ShardWork.DefaultParallel;

    /// <summary>Gets how many rows one statement looks at, which bounds its time and the memory of this process; at least 1, and 10,000 by default.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Less than 1.</exception>
    public int PageSize
    {
        get;
        init => field = AtLeast(1, value);
    } = 10_000;

    /// <summary>Gets how many keys of misplaced rows are kept for each table and shard; zero or more, and 10 by default.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Less than zero.</exception>
    public int Examples
    {
        get;
        init => field = AtLeast(0, value);
    } = 10;

    private static int AtLeast(int least, int value) =>
        value >= least ? value : throw new ArgumentOutOfRangeException(nameof(value), value, $"The value must be {least} or more.");
}
