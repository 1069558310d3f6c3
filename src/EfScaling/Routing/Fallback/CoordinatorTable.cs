using System.Collections.Immutable;

namespace EfScaling.Routing.Fallback;

/// <summary>A table of the model as the fallback coordinator has it.</summary>
/// <param name="Schema">Its schema; <see langword="null"/> for the default one.</param>
/// <param name="Name">Its name.</param>
/// <param name="Shards">The shards whose rows it has.</param>
/// <param name="SystemColumns">The system columns that the model maps.</param>
internal sealed record CoordinatorTable(string? Schema, string Name, ImmutableArray<string> Shards, ImmutableArray<string> SystemColumns)
{
    /// <summary>Gets the quoted name, as EF writes it.</summary>
    public string Sql => CoordinatorName.Of(Schema, Name);
}
