namespace EfScaling.Caching;

/// <summary>One row of <see cref="TableCatalogReader.Sql"/>, whose parts share one shape.</summary>
/// <param name="Part">What the row tells.</param>
/// <param name="Id">The relation that it tells it about; zero for the search path.</param>
/// <param name="Other">The other relation, or a number.</param>
/// <param name="Schema">The schema, or empty.</param>
/// <param name="Name">The name, or empty.</param>
/// <param name="Detail">Letters, as the catalog has them.</param>
/// <param name="Number">A place, a count or flags.</param>
internal readonly record struct CatalogRow(string Part, long Id, long Other, string Schema, string Name, string Detail, int Number);
