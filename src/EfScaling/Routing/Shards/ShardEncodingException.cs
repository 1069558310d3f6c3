namespace EfScaling.Routing.Shards;

/// <summary>The database of a shard has an encoding that it must not have.</summary>
/// <param name="shard">The name of the shard.</param>
/// <param name="database">The name of the database.</param>
/// <param name="encoding">The encoding, as PostgreSQL names it.</param>
internal sealed class ShardEncodingException(string shard, string database, string encoding)
    : InvalidOperationException($"A connection to the shard '{shard}' was refused: {Complaint(database, encoding)}")
{
    /// <summary>Gets what is wrong, without the shard.</summary>
    public string Description { get; } = Complaint(database, encoding);

    private static string Complaint(string database, string encoding) =>
        $"its database '{database}' has the encoding '{encoding}', in which text keys have other bytes than those the shard map hashes. Create the database anew with ENCODING 'UTF8'.";
}
