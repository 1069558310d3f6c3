using EfScaling.Routing;
using EfScaling.Topology;

namespace EfScaling.Sample.Load;

/// <summary>Where commands of one kind ran, and why.</summary>
internal readonly record struct Route(string Node, NodeRole Role, bool IsWrite, RoutingReason Reason);
