namespace EfScaling.Routing.Shards;

/// <summary>A write on several shards was committed on some of them and not on others, or nobody knows.</summary>
/// <param name="message">What was attempted, where it is committed and where not, and the call that mends it.</param>
/// <param name="committed">The shards that have it.</param>
/// <param name="notCommitted">The shards that certainly do not have it.</param>
/// <param name="inDoubt">The shards that may have it: their answer was lost.</param>
/// <param name="innerException">The first failure.</param>
/// <remarks>Execution strategies do not try the write again: it would fail on the shards that have it, or be done there twice.</remarks>
public sealed class PartialCommitException(string message, IReadOnlyList<string> committed, IReadOnlyList<string> notCommitted, IReadOnlyList<string> inDoubt, Exception innerException)
    : Exception(message, innerException)
{
    /// <summary>Gets the shards that have the write.</summary>
    public IReadOnlyList<string> Committed { get; } = committed;

    /// <summary>Gets the shards that certainly do not have the write.</summary>
    public IReadOnlyList<string> NotCommitted { get; } = notCommitted;

    /// <summary>Gets the shards that may have the write: their answer was lost.</summary>
    public IReadOnlyList<string> InDoubt { get; } = inDoubt;
}
