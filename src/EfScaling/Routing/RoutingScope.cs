namespace EfScaling.Routing;

/// <summary>What a scope opened by <c>UsePrimary</c> or <c>UseMaxStaleness</c> asks for; scopes nest.</summary>
internal sealed class RoutingScope(ReadRouter router, RoutingScope? outer, ReadTarget target, TimeSpan? maxStaleness) : IDisposable
{
    private bool _isDisposed;

    /// <summary>Gets the scope around this one.</summary>
    public RoutingScope? Outer => outer;

    /// <summary>Gets where reads run; the innermost scope that says something wins.</summary>
    public ReadTarget Target { get; } = target == ReadTarget.Default ? outer?.Target ?? ReadTarget.Default : target;

    /// <summary>Gets how old data may be; the innermost scope that says something wins.</summary>
    public TimeSpan? MaxStaleness { get; } = maxStaleness ?? outer?.MaxStaleness;

    /// <inheritdoc />
    public void Dispose()
    {
        if (!_isDisposed)
        {
            _isDisposed = true;
            router.Leave(this);
        }
    }
}
