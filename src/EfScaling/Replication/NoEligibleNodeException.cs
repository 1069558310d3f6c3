namespace EfScaling.Replication;

/// <summary>No server may serve a read: no replica is suitable and the primary is not allowed or not able to take it.</summary>
/// <remarks>The message names every node with its reason. Nothing was read; the read may be repeated later or sent to the primary with <c>AsPrimary()</c>.</remarks>
public sealed class NoEligibleNodeException : Exception
{
    internal NoEligibleNodeException(string message, IReadOnlyDictionary<string, string> reasons, Exception? innerException)
        : base(message, innerException) =>
        Reasons = reasons;

    /// <summary>Gets for each node, by host and port, why it could not serve the read.</summary>
    public IReadOnlyDictionary<string, string> Reasons { get; }
}
