namespace EfScaling.Caching;

/// <summary>Whether a store did what it was asked to do.</summary>
/// <param name="Failure">Why it did not, without secrets; <see langword="null"/> if it did.</param>
public readonly record struct CacheAnswer(string? Failure)
{
    /// <summary>The store did it.</summary>
    public static readonly CacheAnswer Done;

    /// <summary>Gets whether the store did it.</summary>
    public bool IsDone => Failure is null;
}
