namespace EfScaling.Sharding;

/// <summary>The settings of <c>UseFallbackCoordinator</c>. Immutable.</summary>
/// <param name="ConnectionString">What leads to the coordinator.</param>
internal sealed record FallbackCoordinatorOptions(string ConnectionString)
{
    /// <summary>Names nothing: the connection string holds a password.</summary>
    public override string ToString() => "fallback coordinator";
}
