namespace EfScaling.Sample.Sharded;

/// <summary>How a query is answered from the shards.</summary>
/// <param name="Query">The query, in words.</param>
/// <param name="Plan">What <c>ToRoutingString</c> says of it.</param>
internal sealed record QueryPlan(string Query, string Plan);
