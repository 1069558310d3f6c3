namespace EfScaling.Routing.Shards;

/// <summary>Work that every shard needs failed on some of them. It was done on the others.</summary>
/// <remarks>The inner exceptions are those of the shards, in the order of <see cref="Shards"/>.</remarks>
public sealed class ShardsFailedException : AggregateException
{
    private readonly string _message;

    /// <param name="attempted">What was attempted, as the application called it.</param>
    /// <param name="failures">The shards that failed, and why.</param>
    /// <param name="count">How many shards were worked on.</param>
    internal ShardsFailedException(string attempted, IReadOnlyList<(string Shard, Exception Failure)> failures, int count)
        : base(failures.Select(f => f.Failure))
    {
        Shards = [.. failures.Select(f => f.Shard)];
        _message = FormattableString.Invariant(
            $"{attempted} failed on {failures.Count} of {count} shards{(failures.Count < count ? ", and is done on the others" : string.Empty)}. Mend these and call it again, which leaves alone what is done:\n- {string.Join("\n- ", failures.Select(f => $"shard '{f.Shard}': {f.Failure.Message}"))}");
    }

    /// <inheritdoc />
    public override string Message => _message;

    /// <summary>Gets the names of the shards that failed.</summary>
    public IReadOnlyList<string> Shards { get; }
}
