namespace EfScaling.Routing;

/// <summary>Catches what the router would do with a query that is built but not executed.</summary>
/// <remarks>
/// A query does not reveal its context through public API, but building its command does reach the router, on the calling thread and before the call
/// returns: the explanation waits for it there.
/// </remarks>
internal sealed class RoutingExplanation : IDisposable
{
    [ThreadStatic]
    private static RoutingExplanation? _current;

    public RoutingExplanation() => _current = this;

    /// <summary>Gets the explanation that waits on this thread.</summary>
    public static RoutingExplanation? Current => _current;

    /// <summary>Gets or sets what the router said; <see langword="null"/> if the query never reached one.</summary>
    public string? Text { get; set; }

    /// <inheritdoc />
    public void Dispose() => _current = null;
}
