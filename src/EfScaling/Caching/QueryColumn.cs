namespace EfScaling.Caching;

/// <summary>One column of a query's result.</summary>
/// <param name="Name">Its name in the SQL; <see langword="null"/> if the SQL gives it none.</param>
/// <param name="ClrType">The type that EF asks the reader for.</param>
/// <param name="StoreType">The type in the database, as EF's mapping has it.</param>
internal readonly record struct QueryColumn(string? Name, Type ClrType, string StoreType);
