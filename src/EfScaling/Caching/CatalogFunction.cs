namespace EfScaling.Caching;

/// <summary>A function that a view or a policy calls and that is not declared immutable, or what acts like one.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Arguments">How many arguments it takes.</param>
/// <param name="IsBuiltIn">Whether it came with the server.</param>
internal readonly record struct CatalogFunction(string Name, int Arguments, bool IsBuiltIn);
