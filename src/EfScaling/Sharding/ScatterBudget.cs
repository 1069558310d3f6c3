namespace EfScaling.Sharding;

/// <summary>What one query over several shards may take at most.</summary>
/// <remarks>Rows that are merged as they come, in the order of the query, are not counted: they take no memory. Immutable and thread-safe.</remarks>
public sealed record ScatterBudget
{
    /// <summary>Gets how many shards may be asked at most; all by default.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The number is not greater than zero.</exception>
    public int MaxShards
    {
        get;
        init => field = value > 0 ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "A query asks one shard at least.");
    } = int.MaxValue;

    /// <summary>Gets how many rows of intermediate results may be collected at most; 100,000 by default.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The number is not greater than zero.</exception>
    public long MaxRows
    {
        get;
        init => field = value > 0 ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "Intermediate results have rows.");
    } = 100_000;

    /// <summary>Gets how many bytes of memory intermediate results may take at most; 64 MB by default.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The number is not greater than zero.</exception>
    public long MaxBytes
    {
        get;
        init => field = value > 0 ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "Intermediate results take memory.");
    } = 64L * 1024 * 1024;

    /// <summary>Gets how long the steps before the last may take together; <see langword="null"/>, the default, for the timeout of each command alone.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The time is not greater than zero.</exception>
    public TimeSpan? MaxTime
    {
        get;
        init => field = value is null || value > TimeSpan.Zero ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "A query takes time.");
    }

    /// <summary>Gets how many queries of one process may begin on one shard at the same time; 16 by default.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The number is not greater than zero.</exception>
    public int MaxConcurrencyPerShard
    {
        get;
        init => field = value > 0 ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "One query at a time is the least.");
    } = 16;

    /// <summary>Gets how many queries of one process may begin on all shards together at the same time; 64 by default.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The number is not greater than zero.</exception>
    public int MaxConcurrency
    {
        get;
        init => field = value > 0 ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "One query at a time is the least.");
    } = 64;
}
