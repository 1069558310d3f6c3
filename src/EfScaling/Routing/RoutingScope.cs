using EfScaling.Consistency;

namespace EfScaling.Routing;

/// <summary>What a scope opened by <c>UsePrimary</c>, <c>UseMaxStaleness</c> or <c>UseContract</c> asks for; scopes nest.</summary>
internal sealed class RoutingScope(ReadTerms terms, RoutingScope? outer, ReadContract? contract, TimeSpan? maxStaleness) : IDisposable
{
    private bool _isDisposed;

    /// <summary>Gets the scope around this one.</summary>
    public RoutingScope? Outer => outer;

    /// <summary>Gets what reads ask of their data; the innermost scope that says something wins.</summary>
    public ReadContract? Contract { get; } = contract ?? outer?.Contract;

    /// <summary>Gets how old data may be; the innermost scope that says something wins.</summary>
    public TimeSpan? MaxStaleness { get; } = maxStaleness ?? outer?.MaxStaleness;

    /// <inheritdoc />
    public void Dispose()
    {
        if (!_isDisposed)
        {
            _isDisposed = true;
            terms.Leave(this);
        }
    }
}
