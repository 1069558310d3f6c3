namespace EfScaling.Caching;

/// <summary>An obstacle, and what in the query or the database it is.</summary>
/// <param name="Obstacle">Why the result must not be cached.</param>
/// <param name="Detail">The name of the function, table, column or kind of expression; never a value.</param>
internal sealed record CacheRefusal(CacheObstacle Obstacle, string Detail)
{
    /// <summary>Gets whether the application can lift the obstacle by declaring what the query depends on.</summary>
    public bool IsLiftedByDeclaration => Obstacle is CacheObstacle.RawSql or CacheObstacle.ApplicationFunction;
}
