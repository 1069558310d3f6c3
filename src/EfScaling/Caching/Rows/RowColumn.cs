namespace EfScaling.Caching.Rows;

/// <summary>One column of a query's result, as the type mapping of the query says.</summary>
/// <param name="Name">The column's name, for messages and <see cref="System.Data.Common.DbDataReader.GetName"/>; <see langword="null"/> if it has none.</param>
/// <param name="ClrType">The return type of the method by which EF reads the column: never <see cref="Nullable{T}"/>.</param>
/// <param name="StoreType">The type in the database.</param>
internal readonly record struct RowColumn(string? Name, Type ClrType, string StoreType);
