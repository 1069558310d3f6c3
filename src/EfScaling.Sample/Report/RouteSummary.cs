namespace EfScaling.Sample.Report;

/// <summary>How many commands of one kind ran on one node, or in the cache, for one reason.</summary>
/// <param name="Node">Host and port; of the cache, the memory of this process or the store.</param>
/// <param name="Role">What the node was taken for.</param>
/// <param name="Kind">Read or write.</param>
/// <param name="Reason">Why they ran there.</param>
/// <param name="Commands">Their number.</param>
/// <param name="Share">Their part of all commands of that kind.</param>
internal sealed record RouteSummary(string Node, string Role, string Kind, string Reason, long Commands, double Share);
