using EfScaling.Routing;
using EfScaling.Topology;

namespace EfScaling.IntegrationTests.AspNetCore;

/// <summary>What a request has read, and where.</summary>
public sealed record WebRead(bool Found, NodeRole Role, RoutingReason Reason);
