namespace EfScaling.Routing.Checks;

/// <summary>Something of the schema in which a shard differs from the others.</summary>
/// <param name="Shard">The name of the shard.</param>
/// <param name="Kind">What it is: table, column, index, constraint or migration.</param>
/// <param name="Name">Its name; with its table, where it belongs to one.</param>
/// <param name="Description">The difference in words.</param>
public sealed record SchemaDifference(string Shard, string Kind, string Name, string Description)
{
    /// <inheritdoc />
    public override string ToString() => Description;
}
