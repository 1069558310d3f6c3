namespace EfScaling.Caching;

/// <summary>One table or view, as the catalog has it.</summary>
/// <param name="Name">Its name, with the schema.</param>
/// <param name="Kind">What it is.</param>
internal sealed record CatalogRelation(TableName Name, RelationKind Kind)
{
    /// <summary>Gets whether policies decide which rows a role sees.</summary>
    public bool HasRowSecurity { get; init; }

    /// <summary>Gets whether triggers of the application run when it is written.</summary>
    public bool HasTriggers { get; init; }

    /// <summary>Gets whether a rule or an <c>INSTEAD OF</c> trigger turns its writes into something else.</summary>
    public bool HasRewrittenWrites { get; init; }

    /// <summary>Gets whether its definition or its policies read what the catalog does not list, such as a table of the system.</summary>
    public bool ReadsSystemCatalog { get; init; }

    /// <summary>Gets the tables that it inherits from or is a partition of.</summary>
    public IReadOnlyList<TableName> Parents { get; init; } = [];

    /// <summary>Gets what its definition or its policies read, one step far; without itself.</summary>
    public IReadOnlyList<TableName> References { get; init; } = [];

    /// <summary>Gets the functions in its definition that are not immutable.</summary>
    public IReadOnlyList<CatalogFunction> Functions { get; init; } = [];

    /// <summary>Gets the functions in its policies that are not immutable.</summary>
    public IReadOnlyList<CatalogFunction> PolicyFunctions { get; init; } = [];
}
