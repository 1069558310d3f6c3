namespace EfScaling.Topology;

/// <summary>What the configuration says about a node, as opposed to what the node reports.</summary>
/// <param name="Region">Region name, or <see langword="null"/>.</param>
/// <param name="Weight">Share of reads relative to the other nodes; greater than zero.</param>
/// <param name="MaxConnections">Largest number of connections this process opens to the node for reads.</param>
/// <param name="SessionsAreReadOnly">Whether the data source opens its sessions with <c>default_transaction_read_only=on</c>.</param>
internal sealed record NodeTraits(string? Region, double Weight, int MaxConnections, bool SessionsAreReadOnly);
