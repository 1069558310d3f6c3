namespace EfScaling.Routing.Transactions;

/// <summary>A part of a transaction over several shards that is prepared on a shard, where it holds its locks until it is committed or rolled back.</summary>
/// <param name="Shard">The shard.</param>
/// <param name="Name">The name under which the shard keeps it, as in <c>pg_prepared_xacts</c>.</param>
/// <param name="Age">For how long.</param>
/// <param name="Reason">Why it is not settled.</param>
public sealed record InDoubtTransaction(string Shard, string Name, TimeSpan Age, string Reason);
