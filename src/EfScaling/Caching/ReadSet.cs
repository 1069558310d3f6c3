namespace EfScaling.Caching;

/// <summary>What the result of a query depends on, when its views have been followed to the tables.</summary>
/// <param name="Tables">The relations whose writes make the result old; distinct and sorted, all with their schemas.</param>
/// <param name="HasRowSecurity">Whether policies decide which rows the role sees: without a scope that tells roles and tenants apart, the result must not be cached.</param>
/// <param name="Obstacle">Why the result must not be cached, scope or not; <see langword="null"/> if nothing speaks against it.</param>
internal sealed record ReadSet(IReadOnlyList<TableName> Tables, bool HasRowSecurity, CacheRefusal? Obstacle);
