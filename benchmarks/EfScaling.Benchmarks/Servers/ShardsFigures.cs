namespace EfScaling.Benchmarks.Servers;

/// <summary>What one process found out.</summary>
/// <param name="Milliseconds">From the configuration of the context to the answer of the first query.</param>
/// <param name="ProcessorMilliseconds">Processor time of it.</param>
/// <param name="Bytes">Managed memory after it.</param>
/// <param name="BytesOfAll">Managed memory after a context of each shard was made.</param>
/// <param name="Models">Models of EF among those contexts.</param>
/// <param name="Providers">Internal service providers of EF among them.</param>
internal sealed record ShardsFigures(double Milliseconds, double ProcessorMilliseconds, double Bytes, double BytesOfAll, int Models, int Providers);
